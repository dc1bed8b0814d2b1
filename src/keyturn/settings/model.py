"""All settings as values. ``reader`` makes them from the environment; nothing else reads the environment."""

from dataclasses import field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext


@dataclass(frozen=True)
class Pace:
    """How patient the rotation protocol is. The defaults are for the real Entra ID."""

    proof_count: int = 3
    proof_spacing: timedelta = timedelta(seconds=2)
    proof_deadline: timedelta = timedelta(minutes=5)
    confirm_spacing: timedelta = timedelta(seconds=15)
    sweep_after: timedelta = timedelta(seconds=60)
    settle: timedelta = timedelta(minutes=15)
    """For so long after a publish, sign-in refusals that replication explains are transient."""
    lease: timedelta = timedelta(seconds=45)
    """Longer than the longest stretch of network calls between two transactions; a dead process's leases end earlier."""
    call_timeout: timedelta = timedelta(seconds=10)
    run_tries: int = 6
    find_every: timedelta = timedelta(seconds=1)
    heartbeat: timedelta = timedelta(seconds=2)
    dead_after: timedelta = timedelta(seconds=10)


@dataclass(frozen=True)
class Quotas:
    """How many of each there may be; 0 sets no limit."""

    projects_per_creator: int = 500
    connections_per_project: int = 1000
    secret_rotations_per_project: int = 1000
    identities: int = 2000
    users: int = 2000
    runs_per_hour: int = 100
    """Scheduled ones, of an organization: so a mistake shows before it has reached every application."""


USUAL_QUOTAS = Quotas()


@dataclass(frozen=True)
class RetentionSettings:
    """For how many days records of the past are kept; 0: for ever."""

    audit_days: int = 0
    step_days: int = 400
    run_days: int = 0
    gone_key_days: int = 400
    change_days: int = 400
    webhook_days: int = 30
    secret_versions: int = 100
    """Not days but how many of each secret."""


USUAL_RETENTION = RetentionSettings()


@dataclass(frozen=True)
class BackupSettings:
    """Where a process that works puts backups, how often, and for whom. Without a folder it makes none."""

    public_keys: tuple[str, ...] = ()
    folder: Path | None = None
    hours: int = 24
    keep: int = 14


NO_BACKUPS = BackupSettings()


@dataclass(frozen=True)
class AuditStreamSettings:
    """Where all audit events are sent. ``syslog`` is a scheme, a host and a port; a webhook needs its secret."""

    file: Path | None = None
    syslog: tuple[str, str, int] | None = None
    webhook: str | None = None
    webhook_secret: Plaintext | None = field(default=None, repr=False)


NO_AUDIT_STREAMS = AuditStreamSettings()


@dataclass(frozen=True)
class MailServer:
    """Where e-mail is handed in. ``security`` is starttls, tls or none."""

    host: str
    port: int = 587
    security: str = "starttls"
    username: str = ""
    password: Plaintext | None = field(default=None, repr=False)
    sender: str = ""


@dataclass(frozen=True)
class TokenSourceSetting:
    """Where this server gets a token that tells who it is. ``kind`` is file, variable, github or managed-identity."""

    name: str
    kind: str
    argument: str = ""


EVERYONE, ADMINISTRATORS = "everyone", "administrators"
"""Who may sign in with a password."""


@dataclass(frozen=True)
class SingleSignOn:
    """The tenant whose people sign in, through which application; what it signs in with: a secret, a token source's name, or a
    certificate with its key: PEM, or a file of PEM or PFX, which is read again when it is used.

    ``groups`` are object ids of those who may, empty: all; ``default_role`` is of people to whom no group gives one.
    """

    tenant_id: str
    client_id: str
    client_secret: Plaintext | None = field(default=None, repr=False)
    token_source: str | None = None
    certificate: Plaintext | Path | None = field(default=None, repr=False)
    certificate_passphrase: Plaintext | None = field(default=None, repr=False)
    groups: tuple[str, ...] = ()
    default_role: str | None = None


@dataclass(frozen=True)
class KeyVaultSettings:
    """The key that wraps the root key, and how to sign in to its vault: by exactly one of source, client secret, certificate."""

    keys: tuple[str, ...]
    """Addresses without a version; the first wraps new root keys."""
    source: TokenSourceSetting | None = None
    tenant_id: str = ""
    client_id: str = ""
    client_secret: Plaintext | None = field(default=None, repr=False)
    certificate: Plaintext | None = field(default=None, repr=False)
    wait: timedelta = timedelta(minutes=5)


@dataclass(frozen=True)
class CloudOverride:
    """A custom authority and Graph, for the emulator or a sovereign cloud missing from the table."""

    authority: str
    graph: str


@dataclass(frozen=True)
class Settings:
    """Everything a process needs to know. Secrets are not part of the repr."""

    data_dir: Path
    database_url: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8080
    health_port: int | None = None
    health_host: str | None = None
    """Where that port is; None: where the other one is."""
    metrics_token: Plaintext | None = field(default=None, repr=False)
    metrics_names: bool = False
    otlp_endpoint: str | None = None
    site_url: str | None = None
    database_ca: str | None = None
    """PEM certificates that the database server's certificate must lead to."""
    encryption_key: Plaintext | None = field(default=None, repr=False)
    encryption_key_previous: Plaintext | None = field(default=None, repr=False)
    setup_code: Plaintext | None = field(default=None, repr=False)
    cloud: str = "global"
    cloud_override: CloudOverride | None = None
    ca_file: Path | None = None
    token_sources: tuple[TokenSourceSetting, ...] = ()
    key_vault: KeyVaultSettings | None = None
    concurrency: int = 12
    """As many as a slow core keeps up with when a call takes a tenth of a second."""
    log_level: str = "INFO"
    log_format: str = "auto"
    oauth_client_id: str | None = None
    oauth_client_secret: Plaintext | None = field(default=None, repr=False)
    oauth_bare_codes: bool = False
    cors_allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    pace: Pace = Pace()
    quotas: Quotas = USUAL_QUOTAS
    retention: RetentionSettings = USUAL_RETENTION
    backup: BackupSettings = NO_BACKUPS
    audit_streams: AuditStreamSettings = NO_AUDIT_STREAMS
    login_rate_per_minute: int = 60
    identity_rate_per_minute: int = 6000
    webhook_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where receivers of webhooks may be, besides the public internet."""
    max_waiters: int = 10_000
    max_quiet_connections: int = 1024
    """Requests that wait for changes of secrets at the same time, in one process."""
    identity_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where issuers of machine identities' tokens may be, besides the public internet."""
    alarm_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where receivers of alarms may be, besides the public internet."""
    mail: MailServer | None = None
    sso: SingleSignOn | None = None
    password_sign_in: str = EVERYONE
    warnings: tuple[str, ...] = ()
    """What in the environment was not used, in a sentence each: it is not meant for this server, or of no effect."""

    @property
    def embedded(self) -> bool:
        """Whether the database is the file that this server keeps for itself."""
        return self.database_url.startswith("sqlite")

    @property
    def key_file(self) -> Path:
        return self.data_dir / "root.key"
