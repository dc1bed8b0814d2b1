"""The audit events of inventories: part of the catalogue, see :mod:`keyturn.audit.events`."""

from keyturn.audit.domain import AuditEvent, SubjectKind

_TOPIC = "Inventory"
_CONNECTION = (SubjectKind.CONNECTION,)

INVENTORY_SWITCHED_ON = AuditEvent(
    "switch-on-inventory",
    _TOPIC,
    _CONNECTION,
    "The inventory of the connection's tenant may be read through it from now on.",
    ("name", "app", "tenantId"),
)
INVENTORY_SWITCHED_OFF = AuditEvent(
    "switch-off-inventory",
    _TOPIC,
    _CONNECTION,
    "No inventory is read through the connection any more; what was read through it was removed.",
    ("name", "app", "tenantId"),
)
INVENTORY_EXPORTED = AuditEvent(
    "export-inventory",
    _TOPIC,
    _CONNECTION,
    "Somebody took the inventory of the connection's tenant as a file: names and dates, never a value.",
    ("name", "app", "tenantId"),
)
INVENTORY_WARNINGS_CHANGED = AuditEvent(
    "change-inventory-warnings",
    _TOPIC,
    _CONNECTION,
    "`warns` says whether somebody is told of credentials of the tenant that end and that nobody rotates.",
    ("name", "app", "tenantId", "warns"),
)
CREDENTIAL_APPEARED = AuditEvent(
    "foreign-credential-found",
    _TOPIC,
    (SubjectKind.ROTATION,),
    "The inventory found a credential on a rotated application that this server did not make. `madeBy` is whom the "
    "directory's own audit log names; `unknownBecause` says why that is not known.",
    (
        *("applicationObjectId", "appId", "kind", "keyId", "displayName", "hint"),
        *("madeBy", "madeById", "madeAt", "unknownBecause"),
    ),
)
