"""What a tenant has in Azure Key Vault: vaults, their keys, and who may do what with them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class KeyVersion:
    """One version of a key: RSA, its private part as PEM. Times are POSIX seconds."""

    id: str
    pem: str
    created_at: float
    updated_at: float
    enabled: bool = True


@dataclass(slots=True)
class VaultKey:
    """A key with its versions, the oldest first, and what it may be used for."""

    name: str
    operations: list[str]
    versions: list[KeyVersion] = field(default_factory=list)
    deleted_at: float = 0.0
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Vault:
    """A vault. `access` is object id of a principal -> what it may do with keys, e.g. `unwrapKey`."""

    name: str
    access: dict[str, list[str]] = field(default_factory=dict)
    keys: dict[str, VaultKey] = field(default_factory=dict)
    deleted: dict[str, VaultKey] = field(default_factory=dict)
    purge_protected: bool = False
