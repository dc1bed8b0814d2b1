"""Guessing by its name and dates what made a secret that this server did not: tools name theirs in ways of their own. Pure.

Anybody may give any name, so this is never more than probable, and nothing but a sentence may come of it.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from keyturn.credentials.domain import is_marker
from keyturn.kit.dataclasses import dataclass

_YEAR, _TWO_YEARS, _DAY = timedelta(days=365.5), timedelta(days=730.5), timedelta(days=1)


@dataclass(frozen=True)
class OtherWriter:
    """What probably made a secret. ``danger`` says what it does to secrets of others, where it does."""

    name: str
    danger: str = ""


_TAKES_ALL = "It removes all other secrets of the application"
_ANOTHER_SERVER = OtherWriter("another Keyturn server, or by this one before its database was restored")
_VAULT_ROOT = OtherWriter("HashiCorp Vault (`rotate-root`)", f"{_TAKES_ALL} when it rotates.")
_VAULT = OtherWriter("HashiCorp Vault")
_BOUNDARY = OtherWriter("HashiCorp Boundary")
_TERRAFORM = OtherWriter("Terraform")
_INFISICAL = OtherWriter("Infisical")
_RBAC = OtherWriter("the Azure CLI (`az ad sp create-for-rbac`)", f"{_TAKES_ALL} when it is run again.")
_RESET = OtherWriter("the Azure CLI (`az ad app credential reset`)", f"{_TAKES_ALL}, unless `--append` is given.")
_PORTAL = OtherWriter("a person in the portal")
_SCRIPT = OtherWriter("a script or Terraform, without a name and for the usual two years")

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAMES: tuple[tuple[Callable[[str], object], OtherWriter], ...] = (
    (is_marker, _ANOTHER_SERVER),
    (re.compile(f"vault-{_UUID}", re.IGNORECASE).fullmatch, _VAULT_ROOT),
    (re.compile(r"\bvault-plugin-secrets-azure\b|\bhashicorp vault\b", re.IGNORECASE).search, _VAULT),
    (re.compile("boundary-rotated-", re.IGNORECASE).match, _BOUNDARY),
    (re.compile("terraform", re.IGNORECASE).search, _TERRAFORM),
    (re.compile("infisical", re.IGNORECASE).search, _INFISICAL),
    (re.compile("rbac").fullmatch, _RBAC),
    (re.compile("Password uploaded on ").match, _PORTAL),
)


def probable_writer(name: str | None, starts_at: datetime | None, ends_at: datetime | None) -> OtherWriter | None:
    """Return what probably made a secret with this name and these dates; None when nothing tells."""
    if name:
        return next((writer for matches, writer in _NAMES if matches(name)), None)
    if starts_at is None or ends_at is None:
        return None
    life = ends_at - starts_at
    if abs(life - _YEAR) < _DAY:
        return _RESET
    return _SCRIPT if abs(life - _TWO_YEARS) < _DAY else None
