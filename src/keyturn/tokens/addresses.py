"""Trusted addresses: lists of IP addresses and ranges, kept as the user wrote them. Pure."""

import ipaddress
from collections.abc import Sequence

from keyturn.errors import Refused
from keyturn.kit.dataclasses import dataclass

EVERYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class TrustedAddress:
    """One entry, taken apart. ``prefix`` is None for a single address."""

    address: str
    kind: str
    prefix: int | None


def take_apart(text: str, field: str | None = None) -> TrustedAddress:
    """Read an entry such as ``10.0.0.0/8`` or ``2001:db8::1``. Raises Refused, about the field, for anything else."""
    address, slash, length = text.partition("/")
    try:
        network = ipaddress.ip_network(text, strict=False)
        prefix = int(length) if slash else None
    except ValueError as error:
        raise Refused(
            f"'{text}' is neither an IP address nor a range.",
            code="access.address_invalid",
            fix="Write an address such as 192.0.2.7 or 2001:db8::7, or a range such as 192.0.2.0/24.",
            field=field,
        ) from error
    return TrustedAddress(address, f"ipv{network.version}", prefix)


def readable(stored: object) -> tuple[str, ...]:
    """Return the entries of a stored list that can be read: the others let nobody in."""
    return tuple(entry for entry in stored if _is_entry(entry)) if isinstance(stored, list) else ()


def _is_entry(entry: object) -> bool:
    try:
        ipaddress.ip_network(entry, strict=False) if isinstance(entry, str) else None
    except ValueError:
        return False
    return isinstance(entry, str)


def network_of(address: str) -> str:
    """Return what failures are counted under: an IPv4 address, or the /64 of an IPv6 address; other text as it is."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.IPv6Network((parsed, 64), strict=False))


def is_trusted(entries: Sequence[str], address: str) -> bool:
    """Say whether the caller's address is in one of the entries.

    A caller whose address is unknown (a local socket) is trusted only where everybody is.
    """
    if set(EVERYWHERE) <= set(entries):
        return True
    try:
        caller = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(caller, ipaddress.IPv6Address) and caller.ipv4_mapped:
        caller = caller.ipv4_mapped
    networks = (ipaddress.ip_network(entry, strict=False) for entry in entries)
    return any(caller.version == network.version and caller in network for network in networks)
