"""Which services are reached through apprise: those that it talks to over HTTPS or by encrypted mail, and no others.

https://appriseit.com/services/
"""

from collections.abc import Mapping

SERVICES: Mapping[str, str] = {
    "brevo": "Brevo",
    "discord": "Discord",
    "gchat": "Google Chat",
    "goalert": "GoAlert",
    "gotifys": "Gotify",
    "jira": "Jira Service Management",
    "jsons": "JSON over HTTPS",
    "mailgun": "Mailgun",
    "mailtos": "Mail over TLS",
    "matrixs": "Matrix",
    "mmosts": "Mattermost",
    "ncloudtalks": "Nextcloud Talk",
    "ntfys": "ntfy",
    "opsgenie": "Opsgenie",
    "pagerduty": "PagerDuty",
    "pagertree": "PagerTree",
    "pbul": "Pushbullet",
    "postmark": "Postmark",
    "pover": "Pushover",
    "resend": "Resend",
    "rockets": "Rocket.Chat",
    "sendgrid": "SendGrid",
    "ses": "Amazon SES",
    "signals": "Signal",
    "signl4": "SIGNL4",
    "sns": "Amazon SNS",
    "splunk": "Splunk On-Call",
    "squadcast": "Squadcast",
    "tgram": "Telegram",
    "twilio": "Twilio",
    "victorops": "Splunk On-Call",
    "webex": "Webex",
    "wxteams": "Webex",
    "zulip": "Zulip",
}
"""Their names by the scheme of their address. Schemes that may go unencrypted (``json://``), that reach this machine
(``syslog://``, ``dbus://``) or speak protocols of their own (``mqtt://``, ``irc://``) are not among them.
"""


def service_of(address: str) -> str | None:
    """Return the name of the service that an address leads to; None where it is none of these."""
    scheme, separator, _ = address.strip().partition("://")
    return SERVICES.get(scheme.lower()) if separator else None
