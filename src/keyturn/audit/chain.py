"""The hash chain of one organization's events: what is hashed, and what the seal of a chain says. Pure.

A link is HMAC-SHA-256, under the key of the installation, over the link before it, the id of the chain, the position, and every
column of the event as the database holds it. So whoever has the database without the key can neither make a link nor say what
comes after one.
"""

import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from keyturn.crypto.audit_keys import ChainKey
from keyturn.kit.dataclasses import dataclass

WITHOUT_ORGANIZATION = ""
"""The id of the chain of events without an organization."""
FIRST_HASH = "0" * 64
UNSEALED = ""
"""The seal of a chain that does not hold, and never will again."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What the database keeps of a chain: the last link, and the last one of those that were removed."""

    id: str
    start_position: int = 0
    start_hash: str = FIRST_HASH
    position: int = 0
    hash: str = FIRST_HASH
    seal: str = UNSEALED

    @property
    def anchor(self) -> "Anchor":
        return Anchor(self.id, self.position, self.hash)


def link_hash(key: ChainKey, chain: str, position: int, previous: str, event: Sequence[object]) -> str:
    """Return the link of an event, 64 hex digits: ``event`` is its columns in the order of ``chain_store.CONTENT``."""
    message = json.dumps([previous, chain, position, *event], default=_text, separators=(",", ":"))
    return key.mac(message.encode()).hex()


def _text(value: object) -> str:
    """A moment as SQLite holds it, so that a chain holds in a database of the other kind; what no column should hold as Python
    shows it.
    """
    if not isinstance(value, datetime):
        return repr(value)
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def holds(key: ChainKey, chain: Chain) -> bool:
    """Say whether the seal is that of what the chain says."""
    return hmac.compare_digest(chain.seal.encode(), _seal(key, chain).encode())


def seal_chain(key: ChainKey, chain: Chain) -> Chain:
    """Return the chain with its seal."""
    return replace(chain, seal=_seal(key, chain))


def reseal_chain(key: ChainKey, before: Chain, after: Chain) -> Chain:
    """Return what follows from a chain with a seal, unless the seal before did not hold: that is never made good."""
    return seal_chain(key, after) if holds(key, before) else replace(after, seal=UNSEALED)


def _seal(key: ChainKey, chain: Chain) -> str:
    numbers = ["chain", chain.id, chain.start_position, chain.start_hash, chain.position, chain.hash]
    return key.mac(json.dumps(numbers).encode()).hex()


def position_seal(key: ChainKey, stream: str, chain: str, position: int) -> str:
    """Return the MAC of how far a receiver of all events has got in a chain, 64 hex digits."""
    return key.mac(json.dumps(["stream", stream, chain, position]).encode()).hex()


@dataclass(frozen=True, slots=True)
class Anchor:
    """A link that somebody keeps elsewhere. A chain that holds has it at this position for ever."""

    chain: str
    position: int
    hash: str

    def __str__(self) -> str:
        return f"keyturn-audit:{self.chain}:{self.position}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Anchor | None":
        """Read what ``str`` made; None for anything else."""
        match = _ANCHOR.fullmatch(text.strip())
        return cls(match[1], int(match[2]), match[3]) if match else None


_ANCHOR = re.compile(r"keyturn-audit:([0-9a-zA-Z-]{0,36}):([0-9]{1,18}):([0-9a-f]{64})")
