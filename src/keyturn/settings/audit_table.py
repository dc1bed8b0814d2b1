"""The settings of where audit events are sent: part of the table, see :mod:`keyturn.settings.table`."""

from keyturn.settings import values
from keyturn.settings.setting import Setting

AUDIT_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "KEYTURN_AUDIT_FILE",
        "audit_streams.file",
        values.file_to_write,
        "/var/log/keyturn/audit.jsonl",
        "File to which all audit events are appended, a JSON object in each line. With several servers each appends what it"
        " sends to its own file.",
        default="none",
    ),
    Setting(
        "KEYTURN_AUDIT_SYSLOG",
        "audit_streams.syslog",
        values.syslog,
        "tls://logs.example.com:6514",
        "Server to which all audit events are sent by syslog (RFC 5424): udp://, tcp:// or tls:// with host and port.",
        default="none",
    ),
    Setting(
        "KEYTURN_AUDIT_WEBHOOK",
        "audit_streams.webhook",
        values.https_address,
        "https://siem.example.com/keyturn",
        "Address to which all audit events are posted, some at a time, signed as other webhooks are (standardwebhooks.com)."
        " KEYTURN_AUDIT_WEBHOOK_SECRET is needed, too.",
        default="none",
    ),
    Setting(
        "KEYTURN_AUDIT_WEBHOOK_SECRET",
        "audit_streams.webhook_secret",
        values.webhook_secret,
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "Secret that signs what is posted there: whsec_ and base64 of 24 to 64 bytes.",
        default="none",
        secret=True,
    ),
)
