"""Azure Client Secrets, as people and programs see it."""

from keyturn.providers.manifest import Field, Manifest, Permission, SignInMethod

LONGEST_SECRET = 255
"""Entra's own secrets have 16 to 64 characters; older ones were chosen by people."""

LONGEST_PEM = 65536

_TENANT = Field(
    "tenantId",
    "Tenant ID",
    "Directory (tenant) ID. Portal: Entra ID > App registrations > the application > Overview.",
    "tenant",
)
_CLIENT = Field(
    "clientId",
    "Client ID",
    "Application (client) ID, on the same page. Not the Object ID, and not the Secret ID.",
    "uuid",
    longest=50,
)

MANIFEST = Manifest(
    app="azure-client-secrets",
    name="Azure Client Secrets",
    icon="azure",
    rotation="azure-client-secret",
    methods=(
        SignInMethod(
            "oauth",
            "OAuth",
            "Sign in with Microsoft as a person who may change the applications. No secret is pasted.",
            (
                _TENANT,
                Field("code", "Authorization code", "Filled in by the sign-in.", "code", secret=True, longest=4096),
            ),
        ),
        SignInMethod(
            "client-secret",
            "Client Secret",
            "An application signs in with its client secret, which can then be rotated automatically.",
            (
                _TENANT,
                _CLIENT,
                Field(
                    "clientSecret",
                    "Client Secret",
                    "The Value of a client secret. Portal: the application > Certificates & secrets. "
                    "It is shown only once, when the secret is made.",
                    "client-secret",
                    secret=True,
                    longest=LONGEST_SECRET,
                ),
                Field(
                    "clientSecretKeyId",
                    "Client Secret Key ID",
                    "The Secret ID beside the Value. Needed only when the application holds several secrets that "
                    "begin alike; it is checked, never taken on trust.",
                    "key-id",
                    required=False,
                    longest=36,
                ),
            ),
            rotates=True,
        ),
        SignInMethod(
            "certificate",
            "Certificate",
            "An application signs in with a certificate whose public part was uploaded to it, and which can then be rotated "
            "automatically.",
            (
                _TENANT,
                _CLIENT,
                Field(
                    "certificateBody",
                    "Certificate (PEM format)",
                    "The certificate in PEM form, from -----BEGIN CERTIFICATE----- to the end; or a file of any form, also .pfx "
                    "with its key.",
                    "certificate",
                    longest=LONGEST_PEM,
                    multiline=True,
                ),
                Field(
                    "privateKey",
                    "Private Key",
                    "Its private key: PEM (PKCS#8 or PKCS#1) or bare base64. Not needed beside a .pfx file. It signs on this "
                    "server and is never sent to Microsoft.",
                    "private-key",
                    secret=True,
                    longest=LONGEST_PEM,
                    multiline=True,
                ),
                Field(
                    "passphrase",
                    "Passphrase",
                    "Only for an encrypted private key or a .pfx file. Used once, to read the key; never stored.",
                    "passphrase",
                    secret=True,
                    required=False,
                    longest=1024,
                ),
            ),
            rotates=True,
        ),
    ),
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
    ),
)
