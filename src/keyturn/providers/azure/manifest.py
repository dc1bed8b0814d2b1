"""Azure Client Secrets, as people and programs see it."""

from keyturn.ports.manifest import Manifest, Permission

APP = "azure-client-secrets"
"""The provider's name in JSON and in rows."""

LONGEST_SECRET = 255
"""Entra's own secrets have 16 to 64 characters; older ones were chosen by people."""

LONGEST_PEM = 65536

MANIFEST = Manifest(
    app=APP,
    name="Azure Client Secrets",
    short_name="Azure",
    service="Entra ID",
    vendor="Microsoft",
    icon="azure",
    permissions=(
        Permission(
            "Application.ReadWrite.OwnedBy",
            "application",
            "Least privilege: changes only applications that the connection's service principal owns.",
        ),
        Permission("Application.ReadWrite.All", "application", "Changes every application of the tenant."),
        Permission(
            "Application.ReadWrite.All",
            "delegated",
            "For OAuth: changes what the person who signed in may change: applications that they own or, with a role such as "
            "Cloud Application Administrator, all.",
        ),
        Permission(
            "AuditLog.Read.All",
            "application",
            "Not needed to rotate. Shows who still signs in with a secret that was replaced, and who is refused after its "
            "removal; the tenant needs Entra ID P1 or P2.",
        ),
        Permission(
            "Policy.Read.All",
            "application",
            "Not needed to rotate. Shows before the first write whether a policy of the tenant forbids new secrets or "
            "certificates.",
        ),
    ),
)
