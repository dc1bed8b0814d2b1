"""App management policies as Graph shows them, and whether the caller is exempted from what they restrict.

https://learn.microsoft.com/graph/api/resources/applicationauthenticationmethodpolicy. A policy of the application takes the place
of the tenant's. Who is exempted has a custom security attribute that a restriction names:
https://learn.microsoft.com/graph/api/resources/appmanagementpolicyactorexemptions.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from keyturn.errors import Upstream
from keyturn.kit.dataclasses import dataclass
from keyturn.providers.azure.capabilities import ATTRIBUTES_READ
from keyturn.providers.azure.graph import Graph, GraphContext
from keyturn.providers.azure.responses import moment

DEFAULT_POLICY = "/policies/defaultAppManagementPolicy"
_DURATION = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


@dataclass(frozen=True)
class Restricted:
    """Which collection of a policy is about a kind of credential, and what its restrictions are called."""

    noun: str
    collection: str
    addition: frozenset[str]
    lifetime: str
    instead: str

    @property
    def kinds(self) -> frozenset[str]:
        return self.addition | {self.lifetime}


SECRETS = Restricted(
    "client secret",
    "passwordCredentials",
    frozenset({"passwordAddition"}),
    "passwordLifetime",
    "A certificate or a federated credential is not concerned: rotate a connection by certificate, or let the program sign in "
    "without a secret.",
)
CERTIFICATES = Restricted(
    "certificate",
    "keyCredentials",
    frozenset({"trustedCertificateAuthority"}),
    "asymmetricKeyLifetime",
    "A federated credential is not concerned: let the program sign in with a token that somebody else vouches for.",
)


@dataclass(frozen=True)
class Attribute:
    """A custom security attribute with the value that exempts."""

    set: str
    key: str
    value: str

    @property
    def name(self) -> str:
        return f"{self.set}/{self.key}"


@dataclass(frozen=True)
class Restriction:
    """What a policy forbids or limits, of what is made after a moment, and whom it exempts."""

    kind: str
    enabled: bool
    longest: timedelta | None
    created_after: datetime | None
    exempting: tuple[Attribute, ...]


APPLICATIONS, PRINCIPALS = "applicationRestrictions", "servicePrincipalRestrictions"
"""Where the tenant's policy holds what it restricts."""


@dataclass(frozen=True)
class Policy:
    """A policy as Graph shows it: one that is assigned to objects (``own``), or that of the tenant."""

    item: Mapping[str, Any]
    own: bool
    part: str = APPLICATIONS

    @property
    def id(self) -> str:
        return str(self.item.get("id") or "")

    @property
    def name(self) -> str:
        return str(self.item.get("displayName") or "")

    @property
    def title(self) -> str:
        if not self.own:
            return "The tenant's default app management policy"
        plain = "The application's app management policy"
        return f"{plain} '{self.name}'" if self.name else plain

    def items(self, collection: str) -> Iterator[Mapping[str, Any]]:
        found = self.item.get("restrictions" if self.own else self.part)
        entries = found.get(collection) if isinstance(found, dict) else None
        yield from (entry for entry in entries or () if isinstance(entry, dict))

    def restrictions(self, collection: str) -> Iterator[Restriction]:
        """Yield what it restricts; nothing where it is switched off."""
        if not self.item.get("isEnabled"):
            return
        for entry in self.items(collection):
            yield Restriction(
                str(entry.get("restrictionType") or ""),
                entry.get("state") != "disabled",
                _duration(entry.get("maxLifetime")),
                moment(entry.get("restrictForAppsCreatedAfterDateTime")),
                tuple(_exempting(entry.get("excludeActors"))),
            )


def _exempting(exempted: object) -> Iterator[Attribute]:
    found = exempted.get("customSecurityAttributes") if isinstance(exempted, dict) else None
    for entry in found if isinstance(found, list) else ():
        set_name, _, key = str(entry.get("id") or "").partition("_") if isinstance(entry, dict) else ("", "", "")
        if set_name and key:
            yield Attribute(set_name, key, str(entry.get("value") or ""))


def _duration(text: object) -> timedelta | None:
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    days += 365 * years + 30 * months + 7 * weeks
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return None  # nothing lives longer


@dataclass(frozen=True)
class Exemptions:
    """Whom restrictions exempt, seen from who calls. ``sets`` are the caller's attributes; None where they cannot be seen."""

    sets: Mapping[str, Any] | None

    def spare(self, restriction: Restriction) -> bool | None:
        """Whether the caller is exempted from it; None where that cannot be seen."""
        if not restriction.exempting:
            return False
        if self.sets is None:
            return None
        return any(_has(self.sets, attribute) for attribute in restriction.exempting)


def exemptions_of_caller(graph: Graph, caller: GraphContext, restrictions: Iterable[Restriction]) -> Exemptions:
    """Return what exempts who calls: one request, where one of the restrictions exempts anybody.

    Repeatable; never raises what Graph says.
    """
    if caller.token.principal_id is None or not any(each.exempting for each in restrictions):
        return Exemptions({})
    kind = "users" if caller.token.on_behalf else "servicePrincipals"
    path = f"/{kind}/{caller.token.principal_id}?$select=id,customSecurityAttributes"
    try:
        sets = graph.read(caller, path).get("customSecurityAttributes")
    except Upstream:
        return Exemptions(None)
    if isinstance(sets, dict):
        return Exemptions(sets)
    # Graph leaves out what the caller may not read, as if nothing was there.
    return Exemptions({} if ATTRIBUTES_READ in (*caller.token.roles, *caller.token.scopes) else None)


def _has(sets: Mapping[str, Any], attribute: Attribute) -> bool:
    values = sets.get(attribute.set)
    value = values.get(attribute.key) if isinstance(values, dict) else None
    return attribute.value in value if isinstance(value, list) else value == attribute.value
