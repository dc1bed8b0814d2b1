"""The settings of token sources: part of the table, see :mod:`keyturn.settings.table`."""

from keyturn.settings import values
from keyturn.settings.setting import Setting

SOURCE_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "KEYTURN_TOKEN_SOURCES",
        "token_sources",
        values.token_sources,
        "aks=file:/var/run/secrets/azure/tokens/azure-identity-token",
        "Where this server gets tokens that tell who it is, for connections by Federated Identity: name=file:/path,"
        " name=variable:NAME, name=github, name=managed-identity or name=managed-identity:CLIENT_ID, separated by commas or"
        " spaces. Nothing else is read or called for them.",
        default="none",
    ),
)
