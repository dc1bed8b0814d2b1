"""The settings of a key vault that wraps the root key: part of the table, see :mod:`keyturn.settings.table`."""

from keyturn.settings import values
from keyturn.settings.setting import Setting

VAULT_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "KEYTURN_KEY_VAULT_KEY",
        "vault.keys",
        values.vault_keys,
        "https://example.vault.azure.net/keys/keyturn",
        "The RSA key of Azure Key Vault, or of a Managed HSM, that wraps the root key; without a version. Further ones, separated"
        " by spaces, only unwrap what they wrapped before.",
        default="none",
    ),
    Setting(
        "KEYTURN_KEY_VAULT_TOKEN_SOURCE",
        "vault.source",
        values.word,
        "machine",
        "How this server signs in to the key vault: one of KEYTURN_TOKEN_SOURCES. A managed identity is asked for a token for"
        " the vault; the token of any other source is exchanged for it by KEYTURN_KEY_VAULT_CLIENT_ID.",
    ),
    Setting(
        "KEYTURN_KEY_VAULT_TENANT_ID",
        "vault.tenant_id",
        values.guid,
        "11111111-2222-4333-8444-555555555555",
        "Tenant of the vault, where an application signs in to it.",
    ),
    Setting(
        "KEYTURN_KEY_VAULT_CLIENT_ID",
        "vault.client_id",
        values.guid,
        "66666666-7777-4888-9999-aaaaaaaaaaaa",
        "Application that signs in to the vault: with a token source other than a managed identity, a secret or a certificate.",
    ),
    Setting(
        "KEYTURN_KEY_VAULT_CLIENT_SECRET",
        "vault.client_secret",
        values.entra_secret,
        "...",
        "Client secret of that application.",
        secret=True,
    ),
    Setting(
        "KEYTURN_KEY_VAULT_CERTIFICATE",
        "vault.certificate",
        values.secret,
        "-----BEGIN CERTIFICATE-----...",
        "Certificate of that application with its private key, as PEM.",
        secret=True,
    ),
    Setting(
        "KEYTURN_KEY_VAULT_WAIT",
        "vault.wait",
        values.seconds(0, 86_400),
        "300",
        "Seconds for which a server that starts tries to reach the vault again before it gives up.",
        default="300",
    ),
)
