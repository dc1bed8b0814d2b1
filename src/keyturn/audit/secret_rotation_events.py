"""The audit events of secret rotations: part of the catalogue, see :mod:`keyturn.audit.events`."""

from keyturn.audit.domain import AuditEvent, SubjectKind

_SECRET_ROTATION = (SubjectKind.SECRET_ROTATION,)
_OF_SECRET_ROTATION = (
    "name",
    "rotationId",
    "connectionId",
    "applicationObjectId",
    "appId",
    "environment",
    "secretPath",
    "secretKeys",
)
_OF_CREDENTIAL = ("keyId", "displayName", "hint", "generation", "endsAt")

_SECRET_ROTATIONS = "Secret rotations"

SECRET_ROTATION_CREATED = AuditEvent(
    "create-secret-rotation",
    _SECRET_ROTATIONS,
    _SECRET_ROTATION,
    "The secret of an application is to be rotated into secrets of a project; its first run has begun, or what is current "
    "was published there.",
    (*_OF_SECRET_ROTATION, "rotationInterval", "rotateAt", "timeZone", "weekdays"),
)
SECRET_ROTATION_UPDATED = AuditEvent(
    "update-secret-rotation",
    _SECRET_ROTATIONS,
    _SECRET_ROTATION,
    "Its name, description, connection, mapping, schedule or overlap were changed: `before` and `after`.",
    (*_OF_SECRET_ROTATION, "before", "after"),
)
SECRET_ROTATION_CREDENTIALS_READ = AuditEvent(
    "get-secret-rotation-generated-credentials",
    _SECRET_ROTATIONS,
    _SECRET_ROTATION,
    "The values that work were read: the current one and the newest previous one.",
    (*_OF_SECRET_ROTATION, "credentials"),
)
SECRET_ROTATION_PREVIOUS_RESTORED = AuditEvent(
    "restore-previous-of-secret-rotation",
    _SECRET_ROTATIONS,
    _SECRET_ROTATION,
    "Somebody made the previous secret the current one again, after it had signed in.",
    (*_OF_SECRET_ROTATION, *_OF_CREDENTIAL),
)
SECRET_ROTATION_HANDED_OVER = AuditEvent(
    "hand-over-to-secret-rotation",
    _SECRET_ROTATIONS,
    _SECRET_ROTATION,
    "A secret that was made by hand was handed over: readers see it as the previous one, and it is kept.",
    (*_OF_SECRET_ROTATION, *_OF_CREDENTIAL),
)
SECRET_ROTATION_RELEASED = AuditEvent(
    "release-of-secret-rotation",
    _SECRET_ROTATIONS,
    _SECRET_ROTATION,
    "Somebody confirmed that nobody uses the secret any more that was handed over: it is being removed.",
    (*_OF_SECRET_ROTATION, *_OF_CREDENTIAL),
)
SECRET_ROTATION_DELETED = AuditEvent(
    "delete-secret-rotation",
    _SECRET_ROTATIONS,
    _SECRET_ROTATION,
    "It was deleted, or its first run has failed and left nothing behind; `staysValid` are secrets that still work.",
    (*_OF_SECRET_ROTATION, "deleteSecrets", "staysValid"),
)
