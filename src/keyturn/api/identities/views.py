"""Trusted addresses, as clients send and read them."""

from keyturn.api.identities.schemas import TrustedIp, TrustedIpShown
from keyturn.tokens.addresses import take_apart


def trusted_addresses(entries: list[TrustedIp] | None) -> tuple[str, ...] | None:
    return None if entries is None else tuple(entry.ip_address for entry in entries)


def shown_addresses(entries: tuple[str, ...]) -> list[TrustedIpShown]:
    parts = [take_apart(entry) for entry in entries]
    return [TrustedIpShown(part.address, part.kind, part.prefix) for part in parts]
