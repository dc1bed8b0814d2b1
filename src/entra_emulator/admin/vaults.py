"""Key vaults: made, and who may use their keys."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from entra_emulator.admin.people import People
from entra_emulator.directory.vaults import Vault

_NAME = re.compile(r"[A-Za-z][0-9A-Za-z-]{1,22}[0-9A-Za-z]\Z")
PERMISSIONS = ("get", "list", "create", "update", "delete", "recover", "purge", "rotate", "wrapKey", "unwrapKey")


class Vaults(People):
    """The part of `Admin` that is about Azure Key Vault."""

    def create_vault(
        self,
        tenant: str,
        name: str,
        *,
        access: Mapping[str, Sequence[str]] | None = None,
        purge_protected: bool = False,
    ) -> str:
        """Makes a vault and gives its name. `access`: object id of a principal -> permissions on keys, as `set_vault_access`.

        Raises ValueError for an unknown tenant, a malformed name or one that is taken in any tenant, and unknown permissions.
        """
        with self._lock:
            home, lowered = self._tenant(tenant), name.lower()
            if not _NAME.match(name):
                raise ValueError("the name of a vault has 3 to 24 letters, digits and -, and begins with a letter")
            tenants = self._world.directory.tenants.values()
            if any(lowered == other.lower() for item in tenants for other in item.vaults):
                raise ValueError(f"there is a vault {name} already")
            home.vaults[name] = Vault(name, purge_protected=purge_protected)
            for principal, permissions in (access or {}).items():
                self.set_vault_access(name, principal, *permissions)
            return name

    def set_vault_access(self, vault: str, principal: str, *permissions: str) -> None:
        """Says what a principal may do with the keys of a vault: some of `PERMISSIONS`, or nothing. Raises ValueError."""
        unknown = set(permissions) - set(PERMISSIONS)
        if unknown:
            raise ValueError(f"unknown permission {min(unknown)}: known are {', '.join(PERMISSIONS)}")
        with self._lock:
            for tenant in self._world.directory.tenants.values():
                if vault in tenant.vaults:
                    tenant.vaults[vault].access[principal] = list(permissions)
                    return
            raise ValueError(f"no vault {vault}")
