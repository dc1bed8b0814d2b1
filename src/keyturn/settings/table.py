"""The table of settings: every variable, what it means, where its value goes. The reference is generated from it."""

import types
from collections.abc import Mapping

from keyturn.client import settings as client
from keyturn.settings import values
from keyturn.settings.alarm_table import ALARM_SETTINGS
from keyturn.settings.audit_table import AUDIT_SETTINGS
from keyturn.settings.backup_table import BACKUP_SETTINGS
from keyturn.settings.monitoring_table import MONITORING_SETTINGS
from keyturn.settings.serving_table import SERVING_SETTINGS
from keyturn.settings.setting import Setting
from keyturn.settings.sign_in_table import SIGN_IN_SETTINGS
from keyturn.settings.source_table import SOURCE_SETTINGS
from keyturn.settings.vault_table import VAULT_SETTINGS

CLOUDS = ("global", "usgov-l4", "usgov-l5", "china")


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "SITE_URL",
        "site_url",
        values.site_url,
        "https://keyturn.example.com",
        "Public address of this server as browsers see it; a path is permitted, where the host is shared. Needed for"
        " OAuth connections: its redirect address is built from it.",
    ),
    Setting("HOST", "host", values.host, "0.0.0.0", "Address to listen on."),
    Setting(
        "PORT",
        "port",
        values.whole(0, 65535),
        "8080",
        "Port to listen on; 0 takes a free one.",
    ),
    *MONITORING_SETTINGS,
    *AUDIT_SETTINGS,
    Setting(
        "KEYTURN_DATA_DIR",
        "data_dir",
        values.folder,
        "/var/lib/keyturn",
        "Folder of the embedded database and its key file.",
        default="$XDG_DATA_HOME/keyturn or ~/.local/share/keyturn",
    ),
    Setting(
        "DB_CONNECTION_URI",
        "database_url",
        values.database_url,
        "postgresql://user:password@host:5432/keyturn",
        "Address of the PostgreSQL database.",
        default="the embedded database in the data folder",
        secret=True,
    ),
    Setting(
        "DB_HOST",
        "db.host",
        values.host,
        "db.example.com",
        "PostgreSQL host, where DB_CONNECTION_URI is not given. DB_NAME and DB_USER are then needed too.",
    ),
    Setting(
        "DB_PORT",
        "db.port",
        values.whole(1, 65535),
        "5432",
        "PostgreSQL port.",
        default="5432",
    ),
    Setting(
        "DB_NAME",
        "db.name",
        values.word,
        "keyturn",
        "Name of the PostgreSQL database.",
    ),
    Setting(
        "DB_USER",
        "db.user",
        values.word,
        "keyturn",
        "PostgreSQL user.",
    ),
    Setting(
        "DB_PASSWORD",
        "db.password",
        values.secret,
        "...",
        "PostgreSQL password.",
        secret=True,
    ),
    Setting(
        "DB_ROOT_CERT",
        "database_ca",
        values.certificates,
        "LS0tLS1CRUdJTi...",
        "Base64 of the PEM certificate that the PostgreSQL server's certificate must lead to; the host name "
        "is then checked too.",
        secret=True,
    ),
    Setting(
        "ENCRYPTION_KEY",
        "encryption_key",
        values.secret,
        "the output of: openssl rand -hex 32",
        "Root key of all stored secrets: 32 or 64 hexadecimal characters, or the base64 of 32 bytes. Needed "
        "with PostgreSQL; the embedded database otherwise keeps one in the file root.key.",
        secret=True,
        fallback="ROOT_ENCRYPTION_KEY",
    ),
    Setting(
        "ENCRYPTION_KEY_PREVIOUS",
        "encryption_key_previous",
        values.secret,
        "the key used so far",
        "The root key before, while `keyturn keys rotate` changes it.",
        secret=True,
    ),
    *VAULT_SETTINGS,
    Setting(
        "KEYTURN_SETUP_CODE",
        "setup_code",
        values.setup_code,
        "the output of: openssl rand -hex 16",
        "The code that the first start asks for, where a program sets the server up. Without it the server makes one and"
        " prints it.",
        secret=True,
    ),
    Setting(
        "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_ID",
        "oauth_client_id",
        values.guid,
        "11111111-2222-4333-8444-555555555555",
        "Client id of the Entra application through which users connect by OAuth.",
        fallback="INF_APP_CONNECTION_AZURE_CLIENT_ID",
    ),
    Setting(
        "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_SECRET",
        "oauth_client_secret",
        values.entra_secret,
        "...",
        "Client secret of that application.",
        secret=True,
        fallback="INF_APP_CONNECTION_AZURE_CLIENT_SECRET",
    ),
    Setting(
        "KEYTURN_OAUTH_BARE_CODES",
        "oauth_bare_codes",
        values.switch,
        "true",
        "Whether the API takes an authorization code without codeVerifier and nonce. Then whoever gets hold of a code may "
        "connect as the person who signed in: leave it off unless an existing client needs it.",
        default="false",
    ),
    Setting(
        "CORS_ALLOWED_ORIGINS",
        "cors_allowed_origins",
        values.origins,
        '["https://portal.example.com"]',
        "JSON array of the origins whose pages may call the API.",
        default="none",
    ),
    Setting(
        "KEYTURN_CLOUD",
        "cloud",
        values.choice(*CLOUDS),
        "usgov-l4",
        f"The Microsoft cloud of all connections of this server: {', '.join(CLOUDS)}. A connection that was made for another "
        "one is refused.",
    ),
    Setting(
        "KEYTURN_AUTHORITY",
        "override.authority",
        values.secure_origin,
        "https://login.microsoftonline.com",
        "Sign-in service to use instead of the cloud's, for the emulator or a cloud missing from the table. "
        "Goes with KEYTURN_GRAPH.",
    ),
    Setting(
        "KEYTURN_GRAPH",
        "override.graph",
        values.secure_origin,
        "https://graph.microsoft.com",
        "Microsoft Graph to use instead of the cloud's. Goes with KEYTURN_AUTHORITY.",
    ),
    Setting(
        "KEYTURN_CA_FILE",
        "ca_file",
        values.existing_file,
        "/etc/ssl/corporate-ca.pem",
        "PEM certificates to trust besides the system's, e.g. of a corporate proxy.",
    ),
    Setting(
        "KEYTURN_CONCURRENCY",
        "concurrency",
        values.whole(1, 256),
        "12",
        "How many rotations one process runs at once.",
    ),
    Setting(
        "KEYTURN_TRUSTED_PROXIES",
        "trusted_proxies",
        values.networks,
        "10.0.0.0/8, 192.0.2.7",
        "Reverse proxies whose X-Forwarded-For is believed. Needed behind one, or all callers seem to be the proxy.",
        default="none",
    ),
    Setting(
        "KEYTURN_LOGIN_RATE",
        "login_rate_per_minute",
        values.whole(1, 100_000),
        "60",
        "Failed sign-ins per minute from one address, and tries under way; sign-ins that succeed do not count.",
    ),
    Setting(
        "KEYTURN_IDENTITY_RATE",
        "identity_rate_per_minute",
        values.whole(1, 10_000_000),
        "6000",
        "Sign-ins per minute of one machine identity with the right client secret.",
    ),
    Setting(
        "KEYTURN_WEBHOOK_NETWORKS",
        "webhook_networks",
        values.networks,
        "10.0.0.0/8, 192.0.2.7",
        "Networks where receivers of webhooks may be, besides the public internet: without this, addresses that are loopback,"
        " link-local or private are not called.",
        default="none",
    ),
    *SERVING_SETTINGS,
    *BACKUP_SETTINGS,
    *SIGN_IN_SETTINGS,
    *SOURCE_SETTINGS,
    Setting(
        "KEYTURN_IDENTITY_NETWORKS",
        "identity_networks",
        values.networks,
        "10.0.0.0/8, 192.0.2.7",
        "Networks where the issuers of machine identities' tokens, and Kubernetes API servers, may be, besides the public"
        " internet: without this, addresses that are loopback, link-local or private are not called.",
        default="none",
    ),
    *ALARM_SETTINGS,
    *(
        Setting(name, f"quotas.{field}", values.whole(0, 1_000_000), "500", f"{what}; 0 sets no limit.")
        for name, field, what in (
            ("KEYTURN_MAX_PROJECTS", "projects_per_creator", "Most projects made by one person or machine identity"),
            ("KEYTURN_MAX_CONNECTIONS", "connections_per_project", "Most app connections of a project, or of none"),
            ("KEYTURN_MAX_SECRET_ROTATIONS", "secret_rotations_per_project", "Most secret rotations of a project"),
            ("KEYTURN_MAX_IDENTITIES", "identities", "Most machine identities"),
            ("KEYTURN_MAX_USERS", "users", "Most users"),
            ("KEYTURN_MAX_HOURLY_RUNS", "runs_per_hour", "Most scheduled runs of secret rotations in an hour"),
        )
    ),
    *(
        Setting(
            name, f"retention.{field}", values.days(7), "730", f"Days for which {what} are kept; 0 keeps them for ever."
        )
        for name, field, what in (
            ("KEYTURN_AUDIT_RETENTION_DAYS", "audit_days", "audit events"),
            ("KEYTURN_STEP_RETENTION_DAYS", "step_days", "the steps of rotation runs, other than the latest run's,"),
            ("KEYTURN_RUN_RETENTION_DAYS", "run_days", "rotation runs that have no steps left, other than the latest,"),
            ("KEYTURN_GONE_KEY_RETENTION_DAYS", "gone_key_days", "keys of an application, after they have gone there,"),
            ("KEYTURN_CHANGE_RETENTION_DAYS", "change_days", "changes of a project's secrets, and removed secrets,"),
            ("KEYTURN_WEBHOOK_RETENTION_DAYS", "webhook_days", "messages of webhooks that have come to their end,"),
        )
    ),
    Setting(
        "KEYTURN_SECRET_VERSIONS",
        "retention.secret_versions",
        values.whole(0, 1_000_000),
        "500",
        "Most versions of one secret that are kept, the current one among them; 0 keeps all.",
    ),
    Setting(
        "KEYTURN_LOG_LEVEL",
        "log_level",
        values.choice("DEBUG", "INFO", "WARNING", "ERROR"),
        "DEBUG",
        "Least level of log lines: DEBUG, INFO, WARNING, ERROR.",
    ),
    Setting(
        "KEYTURN_LOG_FORMAT",
        "log_format",
        values.choice("auto", "json", "console"),
        "json",
        "Form of log lines: json, console, or auto (console on a terminal, json elsewhere).",
    ),
    Setting(
        "KEYTURN_PROOF_COUNT",
        "pace.proof_count",
        values.whole(1, 100),
        "3",
        "Sign-ins in a row that prove a new secret before it is published.",
    ),
    Setting(
        "KEYTURN_PROOF_SPACING",
        "pace.proof_spacing",
        values.seconds(),
        "2",
        "Seconds between two of them.",
    ),
    Setting(
        "KEYTURN_PROOF_DEADLINE",
        "pace.proof_deadline",
        values.seconds(),
        "300",
        "Seconds after which a secret that does not prove itself is given up.",
    ),
    Setting(
        "KEYTURN_CONFIRM_SPACING",
        "pace.confirm_spacing",
        values.seconds(),
        "15",
        "Seconds between the two lists that confirm an absence.",
    ),
    Setting(
        "KEYTURN_SWEEP_AFTER",
        "pace.sweep_after",
        values.seconds(),
        "60",
        "Seconds after a run until strays are looked for.",
    ),
    Setting(
        "KEYTURN_SETTLE",
        "pace.settle",
        values.seconds(),
        "900",
        "Seconds after a publish in which sign-in refusals count as replication.",
    ),
    Setting(
        "KEYTURN_LEASE",
        "pace.lease",
        values.seconds(),
        "45",
        "Seconds that a process may hold an application without a sign of life.",
    ),
    Setting(
        "KEYTURN_CALL_TIMEOUT",
        "pace.call_timeout",
        values.seconds(0.05),
        "10",
        "Seconds that one call to Microsoft may take.",
    ),
    Setting(
        "KEYTURN_RUN_TRIES",
        "pace.run_tries",
        values.whole(1, 1000),
        "6",
        "Tries of one run before it counts as failed.",
    ),
    Setting(
        "KEYTURN_FIND_EVERY",
        "pace.find_every",
        values.seconds(0.05),
        "1",
        "Seconds between two looks for due work.",
    ),
    Setting(
        "KEYTURN_HEARTBEAT",
        "pace.heartbeat",
        values.seconds(0.05),
        "2",
        "Seconds between two signs of life of a process.",
    ),
    Setting(
        "KEYTURN_DEAD_AFTER",
        "pace.dead_after",
        values.seconds(),
        "10",
        "Seconds of silence after which a process counts as dead; more than twice the heartbeat.",
    ),
)
_OF_COMMANDS = {
    "KEYTURN_DEBUG": "Set to 1 to see a traceback when a command fails.",
    "KEYTURN_RECEIPT_KEY": "Public keys for `keyturn receipt verify`, instead of --key.",
}
COMMAND_VARIABLES: Mapping[str, str] = types.MappingProxyType({**_OF_COMMANDS, **client.VARIABLES})
IGNORED: Mapping[str, str] = types.MappingProxyType(
    {
        "AUTH_SECRET": "Accepted so that existing environment files work. Tokens are random here: nothing is signed.",
        "REDIS_URL": "Accepted so that existing environment files work. No Redis is needed.",
    }
)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that begin with ``KEYTURN_`` but mean nothing: most likely misspelt.

    Those that Kubernetes makes for a Service named ``keyturn`` or ``keyturn-...`` are none.
    """
    names = {setting.name for setting in SETTINGS} | set(COMMAND_VARIABLES)
    names |= {setting.file_name for setting in SETTINGS if setting.secret}
    ours = (name for name in environ if name.startswith("KEYTURN_") and name not in names)
    return sorted(name for name in ours if not values.is_service_variable(name, environ[name]))
