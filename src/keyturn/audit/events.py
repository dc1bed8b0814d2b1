"""The catalogue of audit events: what is recorded, of what, with which facts, and what it means to those who read it.

Names and fields are promises: programs read them from the trail. The reference of audit events is made from here.
"""

from collections.abc import Mapping

from keyturn.audit import (
    alarm_events,
    approval_events,
    backup_events,
    chain_events,
    conversion_events,
    identity_events,
    inventory_events,
    people_events,
    project_events,
    secret_rotation_events,
    server_events,
    sso_events,
    webhook_events,
)
from keyturn.audit.domain import AuditEvent, SubjectKind

_ORGANIZATION = (SubjectKind.ORGANIZATION,)
_USER = (SubjectKind.USER,)
_SOMEBODY = (SubjectKind.USER, SubjectKind.IDENTITY)
_CONNECTION = (SubjectKind.CONNECTION,)
_ROTATION = (SubjectKind.ROTATION,)
_SECRET = (SubjectKind.SECRET,)
_FOLDER = (SubjectKind.FOLDER,)
_IMPORT = (SubjectKind.SECRET_IMPORT,)
_TAG = (SubjectKind.TAG,)

_FEDERATED = ("tokenSource", "issuer", "subject")
_OF_CONNECTION = ("name", "app")
_OF_ROTATION = ("connectionId", "applicationObjectId", "appId")
_OF_RUN = (*_OF_ROTATION, "runId", "reason")
_OF_CREDENTIAL = ("keyId", "displayName", "hint", "generation", "endsAt")
_OF_FOLDER = ("environment", "secretPath", "name")
_OF_IMPORT = ("environment", "secretPath", "importEnvironment", "importPath", "position")
_OF_TAG = ("slug", "name", "color")
_OF_SECRET = ("environment", "secretPath", "secretKey", "secretVersion", "type")

_CONNECTIONS = "App connections"

CONNECTION_CREATED = AuditEvent(
    "create-app-connection",
    _CONNECTIONS,
    _CONNECTION,
    "A connection was made; its credentials had signed in.",
    (*_OF_CONNECTION, "method", "credentialsUpdated", "thumbprint", "account", *_FEDERATED),
)
CONNECTION_UPDATED = AuditEvent(
    "update-app-connection",
    _CONNECTIONS,
    _CONNECTION,
    "Name, description or credentials were changed; `credentialsUpdated` says which, `method` that another one signs in.",
    (*_OF_CONNECTION, "method", "previousName", "credentialsUpdated", "thumbprint", "account", *_FEDERATED),
)
CONNECTION_DELETED = AuditEvent(
    "delete-app-connection",
    _CONNECTIONS,
    _CONNECTION,
    "A connection was deleted; `staysValid` lists the secrets that were kept on purpose.",
    (*_OF_CONNECTION, "staysValid"),
)
CONNECTION_APPLICATION_ALLOWED = AuditEvent(
    "allow-application-of-app-connection",
    _CONNECTIONS,
    _CONNECTION,
    "An application may be rotated through the connection from now on: its secret can become one of a project.",
    (*_OF_CONNECTION, "applicationObjectId", "application"),
)
CONNECTION_APPLICATION_DISALLOWED = AuditEvent(
    "disallow-application-of-app-connection",
    _CONNECTIONS,
    _CONNECTION,
    "An application may not be rotated through the connection any more.",
    (*_OF_CONNECTION, "applicationObjectId"),
)
CONNECTION_OWNED_APPLICATIONS_CHANGED = AuditEvent(
    "change-owned-applications-of-app-connection",
    _CONNECTIONS,
    _CONNECTION,
    "`allOwned` says whether every application that the connection's principal owns may be rotated through it.",
    (*_OF_CONNECTION, "allOwned"),
)
CONNECTION_TESTED = AuditEvent(
    "test-app-connection",
    _CONNECTIONS,
    _CONNECTION,
    "Somebody tried whether the connection works; `ok`, or `code` says why not. A result that the same "
    "actor gets again is written once a day.",
    (*_OF_CONNECTION, "ok", "code", "checkedAt"),
)
CONNECTION_SIGN_IN_FAILED = AuditEvent(
    "fail-app-connection-sign-in",
    _CONNECTIONS,
    _CONNECTION,
    "A sign-in by browser for a connection did not end well; `code` says why.",
    ("name", "tenantId", "code", "message"),
)
CONNECTION_CREDENTIAL_MOVED = AuditEvent(
    "app-connection-credential-moved",
    _CONNECTIONS,
    _CONNECTION,
    "Another connection's rotation replaced the credential that this one holds, too, and moved it along: "
    "it signs in with the new one.",
    (*_OF_CONNECTION, "rotationId", "runId", "previousKeyId", *_OF_CREDENTIAL),
)
CONNECTION_REFUSED = AuditEvent(
    "app-connection-refused",
    _CONNECTIONS,
    _CONNECTION,
    "The provider refuses the connection, as a daily look, a test or a run found; `code` says why.",
    (*_OF_CONNECTION, "method", "refusedAt", "code", "message", "fix"),
)
CONNECTION_RECOVERED = AuditEvent(
    "app-connection-recovered",
    _CONNECTIONS,
    _CONNECTION,
    "A connection that the provider refused since `refusedAt` works again.",
    (*_OF_CONNECTION, "method", "refusedAt", "code"),
)
CONNECTION_NEEDS_RECONNECT = AuditEvent(
    "app-connection-needs-reconnect",
    _CONNECTIONS,
    _CONNECTION,
    "The provider ended what a person had granted: somebody has to sign in again.",
    (*_OF_CONNECTION, "method", "code", "message"),
)

_ROTATIONS = "Rotation"

ROTATION_ENABLED = AuditEvent(
    "rotation-enabled",
    _ROTATIONS,
    _ROTATION,
    "Automatic rotation was set up: the secret with `adoptedKeyId` was taken over.",
    (*_OF_ROTATION, "adoptedKeyId", "rotationInterval", "rotateAt", "timeZone", "weekdays"),
)
ROTATION_CREDENTIALS_REPLACED = AuditEvent(
    "rotation-credentials-replaced",
    _ROTATIONS,
    _ROTATION,
    "Somebody gave a rotating connection another secret of the same application.",
    (*_OF_ROTATION, "adoptedKeyId"),
)
ROTATION_SCHEDULE_CHANGED = AuditEvent(
    "rotation-schedule-changed",
    _ROTATIONS,
    _ROTATION,
    "Interval, time or time zone were changed: `before` and `after`.",
    (*_OF_ROTATION, "before", "after"),
)
ROTATION_PAUSED = AuditEvent(
    "rotation-paused", _ROTATIONS, _ROTATION, "Automatic rotation was switched off.", (*_OF_ROTATION, "before", "after")
)
ROTATION_RESUMED = AuditEvent(
    "rotation-resumed",
    _ROTATIONS,
    _ROTATION,
    "Automatic rotation was switched on again.",
    (*_OF_ROTATION, "before", "after"),
)
ROTATION_ENDED = AuditEvent(
    "rotation-ended",
    _ROTATIONS,
    _ROTATION,
    "The rotation is over: the connection was deleted, or its application replaced.",
    (*_OF_ROTATION, "staysValid"),
)
ROTATION_HANDED_OVER = AuditEvent(
    "rotation-handed-over",
    _ROTATIONS,
    _ROTATION,
    "The connection was deleted or got other credentials: its rotation goes on for `connectionId`, which "
    "holds the same secret.",
    (*_OF_ROTATION, "holders"),
)
_OF_FREEZE = ("freezeId", "name", "freezeReason", "firstDay", "lastDay", "timeZone", "yearly")
_PLACE = (SubjectKind.ORGANIZATION, SubjectKind.PROJECT)
FREEZE_CREATED = AuditEvent(
    "create-freeze-window",
    _ROTATIONS,
    _PLACE,
    "On these days nothing is rotated, unless a secret would end.",
    _OF_FREEZE,
)
FREEZE_UPDATED = AuditEvent("update-freeze-window", _ROTATIONS, _PLACE, "A freeze window was changed.", _OF_FREEZE)
FREEZE_DELETED = AuditEvent("delete-freeze-window", _ROTATIONS, _PLACE, "A freeze window was removed.", _OF_FREEZE)
RUN_REQUESTED = AuditEvent(
    "rotation-run-requested",
    _ROTATIONS,
    _ROTATION,
    "Somebody asked for a rotation now, or enabled it; `reason` says which. Within a `freeze`, `freezeReason` says why.",
    (*_OF_RUN, "freeze", "freezeReason"),
)
RUN_JOINED = AuditEvent(
    "rotation-run-joined",
    _ROTATIONS,
    _ROTATION,
    "Somebody asked for a rotation while a run was under way, which counts as asked for from then on.",
    (*_OF_RUN, "freeze", "freezeReason"),
)
RUN_STARTED = AuditEvent(
    "rotation-run-started",
    _ROTATIONS,
    _ROTATION,
    "The server began a run that was due; `reason` is scheduled or expiry.",
    _OF_RUN,
)
RUN_SUCCEEDED = AuditEvent(
    "rotation-run-succeeded",
    _ROTATIONS,
    _ROTATION,
    "A new secret was proven and published. One event ends each run. `movedAlong` counts other connections.",
    (*_OF_RUN, "published", "movedAlong"),
)
RUN_FAILED = AuditEvent(
    "rotation-run-failed",
    _ROTATIONS,
    _ROTATION,
    "A run was given up; the current secret is untouched; `failure` has code, cause and fix.",
    (*_OF_RUN, "failure"),
)
RUN_CANCELLED = AuditEvent(
    "rotation-run-cancelled",
    _ROTATIONS,
    _ROTATION,
    "A run ended because the connection was deleted or got other credentials.",
    (*_OF_RUN, "why"),
)

_CREDENTIALS = "Secrets of applications"

CREDENTIAL_ISSUED = AuditEvent(
    "credential-issued",
    _CREDENTIALS,
    _ROTATION,
    "The provider made a new secret for this server; its value was sealed at once.",
    (*_OF_ROTATION, "runId", *_OF_CREDENTIAL),
)
CREDENTIAL_LOST = AuditEvent(
    "credential-lost",
    _CREDENTIALS,
    _ROTATION,
    "A secret exists whose value never arrived; it is being removed.",
    (*_OF_ROTATION, "runId", *_OF_CREDENTIAL),
)
CREDENTIAL_USED_AFTER_REMOVAL = AuditEvent(
    "credential-used-after-removal",
    _CREDENTIALS,
    _ROTATION,
    "Microsoft's sign-in log shows somebody who signs in with a secret that was removed, and is refused. Once for each address "
    "and resource; `certain` says whether the log names the secret itself, or the address is one that had used it.",
    (*_OF_ROTATION, *_OF_CREDENTIAL, "ip", "resource", "errorCode", "certain", "firstAt"),
)
CREDENTIAL_REVOKED = AuditEvent(
    "credential-revoked",
    _CREDENTIALS,
    _ROTATION,
    "A secret is gone: two lists some time apart did not have it.",
    (*_OF_ROTATION, "runId", *_OF_CREDENTIAL),
)
CREDENTIALS_DRIFTED = AuditEvent(
    "credentials-drifted",
    _CREDENTIALS,
    (*_ROTATION, *_CONNECTION),
    "Somebody else added or removed secrets of the application; `kind` says how, `probablyMadeBy` what its name and dates "
    "tell. Nothing is done.",
    (*_OF_ROTATION, "kind", "keyId", "displayName", "hint", "probablyMadeBy"),
)

_SECRETS = "Secrets"
_FEW = "one event a minute for each caller, instance and version, and one more that says in `repeats` how often they read again"
_OF_READS = ("instance", "repeats", "unchanged")

SECRETS_READ = AuditEvent(
    "get-secrets",
    _SECRETS,
    _FOLDER,
    f"Values of a folder were read; {_FEW}.",
    ("environment", "secretPath", "numberOfSecrets", "recursive", "imports", "revision", *_OF_READS),
)
FOLDER_ROLLED_BACK = AuditEvent(
    "rollback-folder",
    _SECRETS,
    _FOLDER,
    "The secrets of a folder were put back to what they were at a revision of the project; each has an event as well.",
    ("environment", "secretPath", "revision", "added", "changed", "removed"),
)
SECRET_READ = AuditEvent(
    "get-secret", _SECRETS, _SECRET, f"The value of a secret was read; {_FEW}.", (*_OF_SECRET, *_OF_READS)
)
SECRET_CREATED = AuditEvent("create-secret", _SECRETS, _SECRET, "A secret was made.", _OF_SECRET)
SECRET_UPDATED = AuditEvent(
    "update-secret", _SECRETS, _SECRET, "A secret has a new version.", (*_OF_SECRET, "previousSecretKey")
)
SECRET_DELETED = AuditEvent(
    "delete-secret", _SECRETS, _SECRET, "A secret was removed; views of the past still show it.", _OF_SECRET
)
FOLDER_CREATED = AuditEvent("create-folder", _SECRETS, _FOLDER, "A folder was made.", _OF_FOLDER)
FOLDER_UPDATED = AuditEvent("update-folder", _SECRETS, _FOLDER, "A folder was renamed or described.", _OF_FOLDER)
FOLDER_DELETED = AuditEvent(
    "delete-folder", _SECRETS, _FOLDER, "A folder was removed, with all in it.", (*_OF_FOLDER, "deletionId")
)
FOLDER_RESTORED = AuditEvent(
    "restore-folder",
    _SECRETS,
    _FOLDER,
    "A folder that had been deleted was restored, with all in it.",
    (*_OF_FOLDER, "deletionId"),
)
IMPORT_CREATED = AuditEvent("create-secret-import", _SECRETS, _IMPORT, "A folder imports another.", _OF_IMPORT)
IMPORT_UPDATED = AuditEvent("update-secret-import", _SECRETS, _IMPORT, "An import was changed.", _OF_IMPORT)
IMPORT_DELETED = AuditEvent("delete-secret-import", _SECRETS, _IMPORT, "An import was removed.", _OF_IMPORT)
TAG_CREATED = AuditEvent("create-tag", _SECRETS, _TAG, "A tag of a project was made.", _OF_TAG)
TAG_UPDATED = AuditEvent("update-tag", _SECRETS, _TAG, "A tag of a project was changed.", _OF_TAG)
TAG_DELETED = AuditEvent("delete-tag", _SECRETS, _TAG, "A tag was removed, from all secrets that had it.", _OF_TAG)

_TRAIL = "The trail itself"

EVENTS_REMOVED = AuditEvent(
    "remove-audit-events",
    _TRAIL,
    _ORGANIZATION,
    "The oldest `count` events, up to the id `upToId`, are being removed: they are older than "
    "`KEYTURN_AUDIT_RETENTION_DAYS`, here `keptDays`.",
    ("count", "before", "upToId", "keptDays"),
)

_ACCESS = identity_events.ACCESS

BOOTSTRAPPED = AuditEvent(
    "bootstrap-instance",
    _ACCESS,
    _ORGANIZATION,
    "The first organization, its admin and an admin token were made.",
    ("userId", "email", "identityId"),
)
PERSON_SIGNED_IN = AuditEvent("login-user", _ACCESS, _USER, "A person signed in.", ("ip",))
SIGNED_OUT = AuditEvent("logout-user", _ACCESS, _USER, "A person signed out.")
SESSIONS_ENDED = AuditEvent(
    "end-user-sessions", _ACCESS, _USER, "A person ended their sign-in sessions in other browsers.", ("ended",)
)
SECOND_FACTOR_ADDED = AuditEvent(
    "add-user-second-factor", _ACCESS, _USER, "A person turned on a second step at sign-in."
)
SECOND_FACTOR_REMOVED = AuditEvent(
    "remove-user-second-factor", _ACCESS, _USER, "The second step of a person's sign-in was turned off."
)
RECOVERY_CODE_USED = AuditEvent(
    "use-recovery-code", _ACCESS, _USER, "A person signed in with one of their recovery codes.", ("left",)
)
SIGN_IN_FAILED = AuditEvent(
    "fail-sign-in", _ACCESS, _SOMEBODY, "A sign-in failed; at most one event each minute for each person or machine."
)
SIGN_IN_LOCKED = AuditEvent("lock-sign-in", _ACCESS, _SOMEBODY, "Sign-in was locked after too many failures.")
TOKEN_REVOKED = AuditEvent("revoke-access-token", _ACCESS, _SOMEBODY, "An access token was ended by its owner.")
USER_CREATED = AuditEvent("create-user", _ACCESS, _USER, "A user was added.", ("email", "role"))
USER_ROLE_CHANGED = AuditEvent("update-user-role", _ACCESS, _USER, "A user got another role.", ("before", "role"))
USER_DELETED = AuditEvent("delete-user", _ACCESS, _USER, "A user was removed, with tokens and memberships.", ("email",))
USER_DISABLED = AuditEvent(
    "disable-user", _ACCESS, _USER, "A user can not sign in any more; sessions and access tokens ended.", ("email",)
)
USER_ENABLED = AuditEvent("enable-user", _ACCESS, _USER, "A disabled user can sign in again.", ("email",))
USER_UNLOCKED = AuditEvent("unlock-user", _ACCESS, _USER, "An admin or the operator ended a sign-in lock.")
PASSWORD_CHANGED = AuditEvent("change-user-password", _ACCESS, _USER, "A user changed the own password.")
PASSWORD_RESET = AuditEvent(
    "reset-user-password", _ACCESS, _USER, "The operator set a new password on the command line."
)

CATALOGUE: Mapping[str, AuditEvent] = {
    name: value
    for name, value in (
        *dict(globals()).items(),
        *vars(people_events).items(),
        *vars(secret_rotation_events).items(),
        *vars(identity_events).items(),
        *vars(sso_events).items(),
        *vars(project_events).items(),
        *vars(alarm_events).items(),
        *vars(approval_events).items(),
        *vars(backup_events).items(),
        *vars(conversion_events).items(),
        *vars(webhook_events).items(),
        *vars(inventory_events).items(),
        *vars(server_events).items(),
        *vars(chain_events).items(),
    )
    if isinstance(value, AuditEvent)
}
"""All events by the names that they have here, in this order, then those of the files beside this one."""
