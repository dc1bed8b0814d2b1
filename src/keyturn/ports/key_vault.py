"""A key of a vault, which wraps the root key of this installation and never leaves the vault."""

from datetime import datetime
from typing import Protocol

from keyturn.kit.dataclasses import dataclass


@dataclass(frozen=True)
class WrappedRoot:
    """What a vault made of a root key. ``key_id`` names the very version of its key; ``value`` is base64url, safe to store."""

    key_id: str
    value: str


@dataclass(frozen=True)
class VaultKeyFacts:
    """What a vault says of the newest version of its key."""

    key_id: str
    enabled: bool
    recoverable: bool
    """Whether a deleted key can be recovered for a while."""
    purge_protected: bool
    expires_at: datetime | None = None


class KeyVault(Protocol):
    """One key of a vault. Calls raise Retryable when the vault does not answer, and NeedsAction when it refuses; repeatable."""

    @property
    def name(self) -> str:
        """What to call it in messages: the address of the key without its version."""
        ...

    def holds(self, key_id: str) -> bool:
        """Say whether this is the id of a version of this very key. Nothing is asked of others."""
        ...

    def wrap(self, root: bytes) -> WrappedRoot:
        """Wrap with the newest version of the key."""
        ...

    def unwrap(self, wrapped: WrappedRoot) -> bytes:
        """Unwrap with the version that wrapped it."""
        ...

    def look(self) -> VaultKeyFacts:
        """Ask what the key is. NeedsAction also where this server may wrap and unwrap, but not look."""
        ...
