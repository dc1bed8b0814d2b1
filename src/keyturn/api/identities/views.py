"""Trusted addresses, as clients read them."""

from keyturn.api.identities.schemas import TrustedIpShown
from keyturn.tokens.addresses import take_apart


def shown_addresses(entries: tuple[str, ...]) -> list[TrustedIpShown]:
    parts = [take_apart(entry) for entry in entries]
    return [TrustedIpShown(part.address, part.kind, part.prefix) for part in parts]
