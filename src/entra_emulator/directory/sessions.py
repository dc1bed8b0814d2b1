"""What sign-ins leave behind: browser sessions, authorization codes and refresh tokens."""

from __future__ import annotations

import random
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TypeVar

from entra_emulator.directory.directory import new_guid
from entra_emulator.directory.keys import b64url
from entra_emulator.directory.requested_scopes import RequestedScopes
from entra_emulator.directory.table import Table

COOKIE = "ESTSAUTHPERSISTENT"
_MOST = 50_000
_TYPED = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # what nobody takes for something else
_T = TypeVar("_T")
_SHAPE = re.compile(r"1\.A[A-Za-z0-9_-]{100,1500}")


@dataclass(slots=True)
class Session:
    """One browser: who is signed in there, and how often their sessions had been revoked before.

    `state` is the `session_state` it shows.
    """

    id: str
    state: str
    users: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Authorization:
    """What a person once agreed to at the authorize page; every code and refresh token goes back to one of these."""

    tenant_id: str
    app_id: str
    user_id: str
    scopes: RequestedScopes
    platform: str
    at: float
    revocations: int
    nonce: str = ""


@dataclass(slots=True)
class Code:
    """An authorization code. `redirect_uri` is None where the request named none."""

    authorization: Authorization
    issued_at: float
    redirect_uri: str | None
    challenge: str
    challenge_method: str
    redeemed: bool = False


@dataclass(slots=True)
class RefreshToken:
    """A refresh token; redeeming it gives a new one and leaves this one as it is."""

    authorization: Authorization
    issued_at: float


@dataclass(slots=True)
class Device:
    """A sign-in that was begun elsewhere. `tenant_id` is empty where it came through a shared name such as `common`."""

    app_id: str
    tenant_id: str
    scope: str
    expires_at: float
    authorization: Authorization | None = None
    declined: bool = False
    redeemed: bool = False


class Sessions:
    """All of them. Keeps the last fifty thousand of each kind."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._codes: OrderedDict[str, Code] = OrderedDict()
        self.refresh_tokens: Table[RefreshToken] = Table()
        """By their text, the oldest first."""
        self._devices: OrderedDict[str, Device] = OrderedDict()
        self._user_codes: OrderedDict[str, Device] = OrderedDict()

    def session(self, cookies: str) -> Session | None:
        """The session that a Cookie header names."""
        for part in cookies.split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                return self._sessions.get(value)
        return None

    def open(self, rng: random.Random) -> Session:
        """A new session with nobody in it."""
        session = Session(new_guid(rng), new_guid(rng))
        _keep(self._sessions, session.id, session)
        return session

    def close(self, session: Session) -> None:
        """Signs everybody out of a session."""
        self._sessions.pop(session.id, None)

    def add_code(self, code: Code, rng: random.Random) -> str:
        """The text of a new authorization code."""
        text = _opaque(rng)
        _keep(self._codes, text, code)
        return text

    def code(self, text: str) -> Code | None:
        """The code of that text, redeemed or not."""
        return self._codes.get(text)

    def add_refresh_token(self, token: RefreshToken, rng: random.Random) -> str:
        """The text of a new refresh token."""
        text = _opaque(rng)
        _keep(self.refresh_tokens, text, token)
        return text

    def refresh_token(self, text: str) -> RefreshToken | None:
        """The refresh token of that text."""
        return self.refresh_tokens.get(text)

    def add_device(self, device: Device, rng: random.Random) -> tuple[str, str]:
        """The code that a person types, and the one with which the client asks."""
        user_code = "".join(rng.choices(_TYPED, k=9))
        device_code = _opaque(rng)
        _keep(self._user_codes, user_code, device)
        _keep(self._devices, device_code, device)
        return user_code, device_code

    def device(self, text: str) -> Device | None:
        """The sign-in of that device code."""
        return self._devices.get(text)

    def device_of(self, user_code: str) -> Device | None:
        """The sign-in of the code that a person typed."""
        return self._user_codes.get(user_code)


def well_formed(text: str) -> bool:
    """Whether this could be a code or a refresh token at all."""
    return _SHAPE.fullmatch(text) is not None


def _opaque(rng: random.Random) -> str:
    return f"1.A{b64url(rng.getrandbits(1536).to_bytes(192, 'big'))}"


def _keep(entries: dict[str, _T], key: str, value: _T) -> None:
    entries[key] = value
    if len(entries) > _MOST:
        del entries[next(iter(entries))]
