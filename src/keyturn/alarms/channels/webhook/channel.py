"""A webhook that is signed as Standard Webhooks say: https://github.com/standard-webhooks/standard-webhooks

The id of the message is ``webhook-id``: a receiver that remembers it takes each message once.
"""

import base64
from typing import Any

import msgspec
from standardwebhooks.webhooks import Webhook as Signer

from keyturn.alarms.channels.http import post, require_address
from keyturn.alarms.channels.kind import Config, Undelivered, refused
from keyturn.alarms.notification import Notification
from keyturn.kit.clock import iso
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.ports.http import NamedHostTransport

_PREFIX = "whsec_"


@dataclass(frozen=True)
class Webhook:
    """The address is shown; the secret, by which receivers know that it is this server that calls, is not."""

    transport: NamedHostTransport
    clock: Clock
    key: str = "webhook"
    title: str = "Signed webhook"
    secret: str = "Signing secret"
    secret_needed: bool = True
    secret_goes_to: frozenset[str] = frozenset()
    for_programs: bool = True

    def check(self, config: Config, secret: Plaintext | None) -> dict[str, Any]:
        require_address(str(config.get("url") or ""), "url")
        if secret is not None and _key_of(secret) is None:
            fix = 'Make one with: echo "whsec_$(openssl rand -base64 32)"'
            raise refused("The signing secret is not one of Standard Webhooks.", "secret", fix)
        return {"url": str(config["url"])}

    def send(self, config: Config, secret: Plaintext | None, notification: Notification) -> str:
        body = msgspec.json.encode(document(notification))
        key, now = _key_of(secret) if secret else None, self.clock.now()
        if key is None:
            raise Undelivered("The channel has no signing secret.")
        headers = {
            "webhook-id": notification.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Signer(key).sign(notification.id, now, body.decode()),
        }
        return post(self.transport, Plaintext(str(config.get("url"))), body, now, headers)


def document(notification: Notification) -> dict[str, Any]:
    """Return the JSON that receivers read. Existing receivers depend on the keys: add, do not change."""
    return {
        "type": f"keyturn.{notification.kind}",
        "timestamp": iso(notification.created_at),
        "data": {
            "title": notification.title,
            "link": notification.link,
            "part": notification.part.number,
            "parts": notification.part.parts,
            "leftOut": notification.left_out,
            "alarms": [
                {
                    **item.fact,
                    "event": item.event,
                    "severity": item.severity,
                    "headline": item.headline,
                    "link": item.link,
                }
                for item in notification.items
            ],
        },
    }


def _key_of(secret: Plaintext) -> bytes | None:
    text = secret.reveal().strip()
    if not text.startswith(_PREFIX):
        return None
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:
        return None
    return key if 24 <= len(key) <= 64 else None
