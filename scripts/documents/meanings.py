"""What the audit events mean, in the words of people who read them. ``pages`` refuses an event that is missing here."""

from collections.abc import Mapping

ROOMS: Mapping[str, Mapping[str, str]] = {
    "App connections": {
        "create-app-connection": "A connection was made; its credentials had signed in.",
        "update-app-connection": "Name, description or credentials were changed; `credentialsUpdated` says which.",
        "delete-app-connection": "A connection was deleted; `staysValid` lists the secrets that were kept on purpose.",
        "test-app-connection": "Somebody tried whether the connection works; `ok`, or `code` says why not. A result that the "
        "same actor gets again is written once a day.",
        "fail-app-connection-sign-in": "A sign-in with Microsoft for a connection did not end well; `code` says why.",
        "app-connection-credential-moved": "Another connection's rotation replaced the credential that this one holds, too, and "
        "moved it along: it signs in with the new one.",
        "app-connection-refused": "Microsoft refuses the connection, as a daily look, a test or a run found; `code` says why.",
        "app-connection-recovered": "A connection that Microsoft refused since `refusedAt` works again.",
        "app-connection-needs-reconnect": "Microsoft ended what a person had granted: somebody has to sign in again.",
    },
    "Rotation": {
        "rotation-enabled": "Automatic rotation was set up: the secret with `adoptedKeyId` was taken over.",
        "rotation-credentials-replaced": "Somebody gave a rotating connection another secret of the same application.",
        "rotation-schedule-changed": "Interval, time or time zone were changed: `before` and `after`.",
        "rotation-paused": "Automatic rotation was switched off.",
        "rotation-resumed": "Automatic rotation was switched on again.",
        "rotation-ended": "The rotation is over: the connection was deleted, or its application replaced.",
        "rotation-handed-over": "The connection was deleted or got other credentials: its rotation goes on for `connectionId`, "
        "which holds the same secret.",
        "rotation-run-requested": "Somebody asked for a rotation now, or enabled it; `reason` says which.",
        "rotation-run-joined": "Somebody asked for a rotation while a run was under way, which counts as asked for from then on.",
        "rotation-run-started": "The server began a run that was due; `reason` is scheduled or expiry.",
        "rotation-run-succeeded": "A new secret was proven and published. One event ends each run. `movedAlong` counts other "
        "connections.",
        "rotation-run-failed": "A run was given up; the current secret is untouched; `failure` has code, cause and fix.",
        "rotation-run-cancelled": "A run ended because the connection was deleted or got other credentials.",
    },
    "Secrets of applications": {
        "credential-issued": "Entra made a new secret for this server; its value was sealed at once.",
        "credential-lost": "A secret exists whose value never arrived; it is being removed.",
        "credential-revoked": "A secret is gone: two lists some time apart did not have it.",
        "credentials-drifted": "Somebody else added or removed secrets of the application; `kind` says how. Nothing is done.",
    },
    "The trail itself": {
        "remove-audit-events": "The oldest `count` events, up to the id `upToId`, are being removed: they are older than "
        "`KEYTURN_AUDIT_RETENTION_DAYS`, here `keptDays`.",
    },
    "Projects": {
        "create-project": "A project was made.",
        "update-project": "A project was changed.",
        "delete-project": "A project was deleted.",
        "create-environment": "An environment was added.",
        "update-environment": "An environment was changed.",
        "delete-environment": "An environment was deleted.",
        "add-project-member": "Somebody became a member of a project.",
        "update-project-member-role": "A member got another role.",
        "remove-project-member": "Somebody is no longer a member of a project.",
    },
    "People, machines and their tokens": {
        "bootstrap-instance": "The first organization, its admin and an admin token were made.",
        "login-user": "A person signed in.",
        "logout-user": "A person signed out.",
        "end-user-sessions": "A person ended their sign-in sessions in other browsers.",
        "add-user-second-factor": "A person turned on a second step at sign-in.",
        "remove-user-second-factor": "The second step of a person's sign-in was turned off.",
        "use-recovery-code": "A person signed in with one of their recovery codes.",
        "login-identity-universal-auth": "A machine identity signed in.",
        "fail-sign-in": "A sign-in failed; at most one event each minute for each person or machine.",
        "lock-sign-in": "Sign-in was locked after too many failures.",
        "revoke-access-token": "An access token was ended by its owner.",
        "create-user": "A user was added.",
        "update-user-role": "A user got another role.",
        "delete-user": "A user was removed, with tokens and memberships.",
        "unlock-user": "The operator ended a sign-in lock on the command line.",
        "change-user-password": "A user changed the own password.",
        "reset-user-password": "The operator set a new password on the command line.",
        "create-identity": "A machine identity was added.",
        "update-identity": "A machine identity was changed.",
        "delete-identity": "A machine identity was removed, with tokens and memberships.",
        "add-identity-universal-auth": "A machine identity may now sign in with client id and secret.",
        "update-identity-universal-auth": "The rules of a machine identity's sign-in were changed.",
        "revoke-identity-universal-auth": "A machine identity may no longer sign in; its client secrets and tokens ended.",
        "create-identity-universal-auth-client-secret": "A client secret of a machine identity was made.",
        "revoke-identity-universal-auth-client-secret": "A client secret of a machine identity ended, with its tokens.",
        "clear-identity-universal-auth-lockouts": "Sign-in locks of a machine identity were ended.",
    },
}
