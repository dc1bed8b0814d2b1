"""Reads the settings: one pass over the environment by the table, all faults reported together."""

import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from keyturn.errors import Misconfigured
from keyturn.kit.secret import Plaintext
from keyturn.settings.model import (
    ADMINISTRATORS,
    EVERYONE,
    AuditStreamSettings,
    BackupSettings,
    CloudOverride,
    KeyVaultSettings,
    MailServer,
    Pace,
    Quotas,
    RetentionSettings,
    Settings,
    SingleSignOn,
)
from keyturn.settings.setting import Setting
from keyturn.settings.table import SETTINGS
from keyturn.settings.values import existing_file, is_service_link

_NONE: Mapping[str, str] = types.MappingProxyType({})
_LONGEST_FILE = 256 * 1024
_SIGNS_IN = ("client_secret", "certificate")
_SSO_SIGNS_IN = ("client_secret", "token_source", "certificate")
_SSO = (("KEYTURN_SSO_TENANT_ID", "tenant_id"), ("KEYTURN_SSO_CLIENT_ID", "client_id"), ("SITE_URL", "site_url"))
_MAIL = (("KEYTURN_SMTP_HOST", "host"), ("KEYTURN_SMTP_FROM", "sender"))
# GNU triples such as x86_64-conda-linux-gnu and arm64-apple-darwin20.0.0: what conda exports as HOST.
_BUILD_HOST = re.compile(r"[a-z0-9_]+-[a-z0-9_]+-(?:linux|darwin|mingw|windows|freebsd)[a-z0-9._-]*")


def read_settings(environ: Mapping[str, str], overrides: Mapping[str, str] = _NONE) -> Settings:
    """Read all settings. ``overrides`` win over ``environ`` and are named alike, e.g. ``{"PORT": "9000"}``.

    An empty variable counts as not given. A secret may be given as ``<NAME>_FILE``, the path of a file that holds it.
    Raises Misconfigured that lists every fault, naming variables but never showing a value. Repeatable.
    """
    reader = _Reader({**environ, **overrides}, frozenset(overrides))
    reader.set_aside()
    values = {setting.field: value for setting in SETTINGS if (value := reader.value(setting)) is not None}
    settings = reader.assemble(values)
    if settings is None or reader.faults:
        raise _misconfigured(reader.faults)
    return settings


class _Reader:
    def __init__(self, environ: Mapping[str, str], meant: frozenset[str] = frozenset()) -> None:
        """``meant`` are the names that were given to the command itself: those are never somebody else's."""
        self._environ = dict(environ)
        self._meant = meant
        self.faults: list[dict[str, str]] = []
        self.warnings: list[str] = []

    def set_aside(self) -> None:
        """Take out what others put into the environment: it is named in a warning, and never stops a start."""
        for setting in SETTINGS:
            text = self._environ.get(setting.name, "").strip()
            if setting.name not in self._meant and is_service_link(text):
                self._ignore(f"{setting.name} is not used: Kubernetes set it for a Service of that name.", setting.name)
        if "HOST" not in self._meant and _BUILD_HOST.fullmatch(self._environ.get("HOST", "").strip()):
            self._ignore("HOST is not used: conda set it to the kind of this machine, not to an address.", "HOST")
        self._set_database_parts_aside()

    def _set_database_parts_aside(self) -> None:
        names = [setting.name for setting in SETTINGS if setting.field.startswith("db.")]
        url = self._environ.get("DB_CONNECTION_URI", "").strip()
        embedded = url.startswith("sqlite")
        if self._given("DB_CONNECTION_URI"):
            why, unused = "DB_CONNECTION_URI is given", names + ["DB_ROOT_CERT"] * embedded
        elif not self._given("DB_HOST"):
            why, unused = "DB_HOST is not given, so the embedded database is used", [*names, "DB_ROOT_CERT"]
        else:
            return
        present = [name for name in unused if self._given(name)]
        if present:
            verb = "is" if len(present) == 1 else "are"
            self._ignore(f"{', '.join(present)} {verb} not used: {why}.", *present)

    def _ignore(self, warning: str, *names: str) -> None:
        self.warnings.append(warning)
        for name in names:
            self._environ.pop(name, None)
            self._environ.pop(f"{name}_FILE", None)

    def fault(self, name: str, fault: str, example: str) -> None:
        self.faults.append({"variable": name, "fault": fault, "example": example})

    def _half(self, names: str) -> None:
        self.fault(names, "go together, but only one is given", "both, or neither")

    def value(self, setting: Setting) -> object:
        if setting.read_later and self._environ.get(setting.file_name, "").strip():
            return self._path(setting)
        for name in filter(None, (setting.name, setting.fallback)):
            text = self._text(name, setting)
            if text:
                try:
                    return setting.parse(text)
                except ValueError as error:
                    self.fault(name, str(error), setting.example)
                    return None
        return None

    def _path(self, setting: Setting) -> Path | None:
        """Return where the file is, which has to be there already."""
        if self._environ.get(setting.name, "").strip():
            self.fault(setting.name, f"is given twice, also as {setting.file_name}", "only one of the two")
            return None
        try:
            return existing_file(self._environ[setting.file_name].strip())
        except ValueError as error:
            self.fault(setting.file_name, str(error), f"/run/secrets/{setting.name.lower()}")
            return None

    def _text(self, name: str, setting: Setting) -> str:
        text = self._environ.get(name, "").strip()
        file = self._environ.get(f"{name}_FILE", "").strip() if setting.secret else ""
        if not file:
            return text
        if text:
            self.fault(name, f"is given twice, also as {name}_FILE", "only one of the two")
            return ""
        try:
            with Path(file).open("rb") as stream:
                return stream.read(_LONGEST_FILE).decode().strip()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not a text file"
            self.fault(f"{name}_FILE", f"names a file that cannot be read: {why}", f"/run/secrets/{name.lower()}")
            return ""

    def assemble(self, values: Mapping[str, Any]) -> Settings | None:
        plain = {field: value for field, value in values.items() if "." not in field}
        data_dir = plain.pop("data_dir", None) or self._default_folder()
        if data_dir is None:
            return None
        url = plain.pop("database_url", None) or self._database_from_parts(values)
        self._refuse_two_keys()
        return Settings(
            data_dir=data_dir,
            database_url=url or embedded_url(data_dir),
            cloud_override=self._cloud_override(values),
            mail=self._mail_server(values),
            key_vault=self._key_vault(values),
            sso=self._sso(values),
            pace=self._pace(_part(values, "pace")),
            quotas=Quotas(**_part(values, "quotas")),
            retention=RetentionSettings(**_part(values, "retention")),
            backup=self._backup(values),
            audit_streams=self._audit_streams(values),
            warnings=tuple(self.warnings),
            **plain,
        )

    def _default_folder(self) -> Path | None:
        base, home = self._environ.get("XDG_DATA_HOME", ""), self._environ.get("HOME", "")
        # The XDG base directory specification: a relative path is invalid and to be ignored.
        if Path(base).is_absolute():
            return Path(base) / "keyturn"
        if Path(home).is_absolute():
            return Path(home) / ".local" / "share" / "keyturn"
        self.fault("KEYTURN_DATA_DIR", "is needed, as this user has no home folder", "/var/lib/keyturn")
        return None

    def _database_from_parts(self, values: Mapping[str, Any]) -> str | None:
        parts = _part(values, "db")
        if not parts:
            return None
        missing = [f"DB_{part.upper()}" for part in ("host", "name", "user") if part not in parts]
        if missing:
            self.fault(", ".join(missing), "is missing beside the other DB_ variables", "DB_HOST, DB_NAME and DB_USER")
            return None
        password: Plaintext | None = parts.get("password")
        url = URL.create(
            "postgresql+psycopg",
            username=parts["user"],
            password=password.reveal() if password else None,
            host=parts["host"],
            port=parts.get("port", 5432),
            database=parts["name"],
        )
        return url.render_as_string(hide_password=False)

    def _refuse_two_keys(self) -> None:
        names = [name for name in ("ENCRYPTION_KEY", "ROOT_ENCRYPTION_KEY") if self._given(name)]
        if len(names) == 2:
            self.fault("ENCRYPTION_KEY, ROOT_ENCRYPTION_KEY", "are both given", "only one of the two")

    def _given(self, name: str) -> bool:
        return bool(self._environ.get(name, "").strip() or self._environ.get(f"{name}_FILE", "").strip())

    def _cloud_override(self, values: Mapping[str, Any]) -> CloudOverride | None:
        parts = _part(values, "override")
        if len(parts) == 1:
            self._half("KEYTURN_AUTHORITY, KEYTURN_GRAPH")
        return CloudOverride(**parts) if len(parts) == 2 else None

    def _key_vault(self, values: Mapping[str, Any]) -> KeyVaultSettings | None:
        parts, prefix = _part(values, "vault"), "KEYTURN_KEY_VAULT_"
        ways = [f"{prefix}{name.upper()}" for name in _SIGNS_IN if name in parts]
        if not parts.get("keys"):
            if parts.keys() - {"wait"}:
                self.fault(
                    f"{prefix}KEY", "is missing beside the other settings of the key vault", "https://.../keys/keyturn"
                )
            return None
        if (len(ways) != 1 and "source" not in parts) or (ways and "source" in parts):
            example = f"one of {prefix}TOKEN_SOURCE, {prefix}CLIENT_SECRET, {prefix}CERTIFICATE"
            self.fault(f"{prefix}KEY", "needs one way to sign in to the vault", example)
            return None
        source = next((one for one in values.get("token_sources", ()) if one.name == parts.get("source")), None)
        if "source" in parts and source is None:
            self.fault(f"{prefix}TOKEN_SOURCE", "names no source of KEYTURN_TOKEN_SOURCES", "machine")
            return None
        missing = [f"{prefix}{name.upper()}" for name in ("tenant_id", "client_id") if name not in parts]
        if missing and (source is None or source.kind != "managed-identity"):
            self.fault(", ".join(missing), "is missing: an application signs in to the vault", "both of them")
            return None
        return KeyVaultSettings(**parts | {"source": source})

    def _mail_server(self, values: Mapping[str, Any]) -> MailServer | None:
        parts = _part(values, "mail")
        if not parts:
            return None
        missing = [name for name, part in _MAIL if part not in parts]
        if missing:
            self.fault(", ".join(missing), "is missing beside the other KEYTURN_SMTP_ variables", "both of them")
            return None
        if ("username" in parts) != ("password" in parts):
            self._half("KEYTURN_SMTP_USERNAME, KEYTURN_SMTP_PASSWORD")
        return MailServer(**parts)

    def _backup(self, values: Mapping[str, Any]) -> BackupSettings:
        backup = BackupSettings(**_part(values, "backup"))
        if backup.folder is not None and not backup.public_keys:
            self.fault("KEYTURN_BACKUP_PUBLIC_KEYS", "is missing beside KEYTURN_BACKUP_DIR", "age1...")
        return backup

    def _audit_streams(self, values: Mapping[str, Any]) -> AuditStreamSettings:
        streams = AuditStreamSettings(**_part(values, "audit_streams"))
        if (streams.webhook is None) != (streams.webhook_secret is None):
            self._half("KEYTURN_AUDIT_WEBHOOK, KEYTURN_AUDIT_WEBHOOK_SECRET")
        return streams

    def _sso(self, values: Mapping[str, Any]) -> SingleSignOn | None:
        parts = _part(values, "sso")
        if not parts:
            if values.get("password_sign_in") == ADMINISTRATORS:
                self.fault("KEYTURN_PASSWORD_SIGN_IN", f"is {ADMINISTRATORS}, but nobody else can sign in", EVERYONE)
            return None
        present = parts.keys() | values.keys() & {"site_url"}
        missing = [name for name, part in _SSO if part not in present]
        if missing:
            self.fault(", ".join(missing), "is missing beside the other KEYTURN_SSO_ variables", "all of them")
        names, source = {one.name for one in values.get("token_sources", ())}, parts.get("token_source")
        ways = [f"KEYTURN_SSO_{name.upper()}" for name in _SSO_SIGNS_IN]
        count = sum(name in parts for name in _SSO_SIGNS_IN)
        if count != 1:
            self.fault(", ".join(ways), "are all missing" if count == 0 else "exclude each other", "one of them")
        elif source is not None and source not in names:
            self.fault("KEYTURN_SSO_TOKEN_SOURCE", "is none of the sources in KEYTURN_TOKEN_SOURCES", "aks")
        elif "certificate_passphrase" in parts and "certificate" not in parts:
            self.fault("KEYTURN_SSO_CERTIFICATE_PASSPHRASE", "is given without a certificate", "/run/secrets/sso.pfx")
        return None if missing else SingleSignOn(**parts)

    def _pace(self, parts: Mapping[str, Any]) -> Pace:
        pace = Pace(**parts)
        if pace.dead_after <= 2 * pace.heartbeat:
            self.fault("KEYTURN_DEAD_AFTER", "is not more than twice KEYTURN_HEARTBEAT", "10")
        if pace.proof_deadline < pace.proof_count * pace.proof_spacing:
            self.fault("KEYTURN_PROOF_DEADLINE", "is too short for all proofs at their spacing", "300")
        if pace.lease <= 2 * pace.call_timeout:
            self.fault("KEYTURN_LEASE", "is not more than twice KEYTURN_CALL_TIMEOUT", "45")
        return pace


def embedded_url(data_dir: Path) -> str:
    """Return the address of the database that the server keeps for itself."""
    return URL.create("sqlite", database=str(data_dir / "keyturn.db")).render_as_string()


def _part(values: Mapping[str, Any], part: str) -> dict[str, Any]:
    return {field.partition(".")[2]: value for field, value in values.items() if field.startswith(f"{part}.")}


def _misconfigured(faults: list[dict[str, str]]) -> Misconfigured:
    lines = [f"{fault['variable']} {fault['fault']}. Example: {fault['example']}" for fault in faults]
    if len(lines) == 1:
        return Misconfigured(lines[0], code="config.invalid", details=faults)
    return Misconfigured(
        f"{len(lines)} settings are wrong:\n" + "\n".join(f"  - {line}" for line in lines),
        code="config.invalid",
        details=faults,
    )
