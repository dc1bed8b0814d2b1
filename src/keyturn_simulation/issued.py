"""All that ever was in Entra: values that nobody may see, and what each credential is called there."""

from collections.abc import Collection
from dataclasses import dataclass, field

from entra_emulator.admin.admin import Admin
from keyturn_simulation.platform_tokens import trust_of


@dataclass
class Issued:
    """``values`` may be readable nowhere. ``key_ids`` are by value, by thumbprint, and by what ``trust_of`` says."""

    values: set[str] = field(default_factory=set)
    key_ids: dict[str, str] = field(default_factory=dict)
    trusts: dict[str, set[str]] = field(default_factory=dict)
    """All ids that a trust ever had: one that was removed and made again has another."""

    def collect(self, admin: Admin, object_id: str) -> None:
        """Note what the application holds now."""
        application = admin.application(object_id)
        secrets = {secret.value: secret.key_id for secret in admin.secrets(object_id)}
        self.values.update(secrets)
        self.key_ids.update(secrets)
        self.key_ids.update({key.sha1.hex().upper(): key.key_id for key in application.keys_held()})
        for item in application.federated_held():
            trust = trust_of(application.app_id, item.issuer, item.subject)
            self.key_ids[trust] = item.id
            self.trusts.setdefault(trust, set()).add(item.id)

    def ids_of_trusts(self, trusts: Collection[str]) -> set[str]:
        """Return every id that one of these ever had."""
        return set().union(*(self.trusts.get(trust, ()) for trust in trusts))
