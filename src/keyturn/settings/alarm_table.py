"""The settings of alarms: part of the table, see :mod:`keyturn.settings.table`."""

from keyturn.settings import values
from keyturn.settings.setting import Setting

ALARM_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "KEYTURN_ALARM_NETWORKS",
        "alarm_networks",
        values.networks,
        "10.0.0.0/8, 192.0.2.7",
        "Networks where the receivers of alarms may be, besides the public internet: webhooks and mail servers that are typed"
        " on the page of channels. The mail server of KEYTURN_SMTP_HOST may be anywhere.",
        default="none",
    ),
    Setting(
        "KEYTURN_SMTP_HOST",
        "mail.host",
        values.host,
        "smtp.example.com",
        "Mail server through which alarms are sent by e-mail, where a channel names no other. KEYTURN_SMTP_FROM is then"
        " needed too.",
        default="none",
    ),
    Setting("KEYTURN_SMTP_PORT", "mail.port", values.whole(1, 65535), "587", "Its port.", default="587"),
    Setting(
        "KEYTURN_SMTP_SECURITY",
        "mail.security",
        values.choice("starttls", "tls", "none"),
        "tls",
        "How it is talked to: starttls (encrypted after a greeting), tls (encrypted from the first byte), none.",
        default="starttls",
    ),
    Setting("KEYTURN_SMTP_USERNAME", "mail.username", values.word, "keyturn", "User name at it.", default="none"),
    Setting("KEYTURN_SMTP_PASSWORD", "mail.password", values.secret, "...", "Password at it.", secret=True),
    Setting(
        "KEYTURN_SMTP_FROM",
        "mail.sender",
        values.word,
        "keyturn@example.com",
        "Address that e-mail is sent from.",
        default="none",
    ),
)
