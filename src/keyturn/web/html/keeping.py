"""A form that was sent after its session had ended: what was typed waits in a signed cookie until its person has signed in.

Nothing secret is kept, nor what may be a secret; the cookie lasts half an hour, belongs to one page, and is used once.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from keyturn.errors import KeyturnError
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Digests
from keyturn.web.cookies import KEPT, Cookie
from keyturn.web.html.forms import FormState, repeatable_values

LIFE = timedelta(minutes=30)
LONGEST = 3600
"""Browsers keep cookies of 4096 characters at most, name and attributes included."""
_MOST_UNPACKED = 65536
_PLACE = SealContext("kept_forms", "browser", "values")
SENT_TOO_LATE = "Your session had ended before this was sent, so nothing was done. What you typed is here again."
SECRETS_ARE_NOT = "Secrets are not kept: paste them again."


class Keeper:
    """Writes and reads the cookie. Safe to share between threads, and all servers of an installation read the same."""

    def __init__(self, digests: Digests, clock: Clock) -> None:
        self._digests = digests
        self._clock = clock

    def keep(self, form: str, page: str, fields: Mapping[str, list[str]]) -> Cookie | None:
        """Return the cookie for what was typed into ``form``, to be shown on ``page``; None when it is too long."""
        values, dropped = repeatable_values({name: values[-1] for name, values in fields.items()})
        text = self._packed(form, page, values, dropped)
        if len(text) > LONGEST:
            # A long certificate is what is left behind; the rest is short.
            longest = max(values, key=lambda name: len(values[name]))
            text = self._packed(form, page, {**values, longest: ""}, dropped | {longest})
        return Cookie(KEPT, text, LIFE) if len(text) <= LONGEST else None

    def restore(self, text: str | None, page: str) -> FormState | None:
        """Return the form as it was typed, if the cookie is whole, young enough, and for this page."""
        data = self._read(text) if text else None
        if data is None or data["page"] != page:
            return None
        created_at = datetime.fromisoformat(data["at"])
        if not timedelta(0) <= self._clock.now() - created_at <= LIFE:
            return None
        dropped = frozenset(data["dropped"])
        return FormState(data["form"], data["values"], {}, SENT_TOO_LATE, SECRETS_ARE_NOT if dropped else None, dropped)

    def _packed(self, form: str, page: str, values: Mapping[str, str], dropped: frozenset[str]) -> str:
        at = self._clock.now().isoformat()
        about = {"form": form, "page": page, "values": values, "dropped": sorted(dropped), "at": at}
        body = base64.urlsafe_b64encode(zlib.compress(json.dumps(about).encode(), 9)).decode()
        return f"{body}~{self._digests.digest(Plaintext(body), _PLACE)}"

    def _read(self, text: str) -> dict[str, Any] | None:
        body, _, digest = text.partition("~")
        try:
            if not self._digests.matches(digest, Plaintext(body), _PLACE):
                return None
            unpacked = zlib.decompressobj().decompress(base64.urlsafe_b64decode(body), _MOST_UNPACKED)
            data: dict[str, Any] = json.loads(unpacked)
        except (KeyturnError, ValueError, binascii.Error, zlib.error):
            return None  # of a key that is gone, or cut off: there is nothing to show
        return data
