"""Entra ID's reports of which credential signed in when: the sign-in log and the credentials' activity. Both are beta.

https://learn.microsoft.com/graph/api/signin-list?view=graph-rest-beta,
https://learn.microsoft.com/graph/api/reportroot-list-appcredentialsigninactivities?view=graph-rest-beta. The reports answer five
requests in ten seconds: https://learn.microsoft.com/graph/throttling-limits#identity-and-access-reports-service-limits. Whoever
asks keeps to that.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import quote

from keyturn.errors import Upstream
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ids import is_uuid
from keyturn.ports.clock import Clock
from keyturn.ports.http import HttpResponse
from keyturn.ports.inventory import KeyKind, UsedKey
from keyturn.ports.provider import AccessToken, Tenant
from keyturn.ports.use_reports import ActivityReport, ReportTrouble, SignIn, SignInReport, Unobservable
from keyturn.providers.azure.capabilities import AUDIT_READ, grant, may_hold
from keyturn.providers.azure.graph import Graph, GraphContext
from keyturn.providers.azure.responses import graph_answer, json_object, moment, quote_words

PAGE = 1000
"""The most that a page of the sign-in log holds."""
NO_LICENCE = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
_KEY_TYPES = {"clientSecret": KeyKind.SECRET, "certificate": KeyKind.CERTIFICATE}
_REMOVED, _EXPIRED = 7000215, 7000222

_KINDS = {
    "clientSecret": "client-secret",
    "clientAssertion": "client-assertion",
    "federatedIdentityCredential": "federated-credential",
    "managedIdentity": "managed-identity",
    "certificate": "certificate",
}
"""https://learn.microsoft.com/graph/api/resources/signin?view=graph-rest-beta, clientCredentialType."""

Callers = Callable[[Tenant, AccessToken], GraphContext]


@dataclass(frozen=True)
class GraphUseReports:
    """``ports.use_reports.UseReports`` by Microsoft Graph. Safe to share between threads."""

    graph: Graph
    callers: Callers
    clock: Clock

    refused_errors = frozenset({_REMOVED, _EXPIRED})

    def sign_ins(
        self, tenant: Tenant, token: AccessToken, app_id: str, since: datetime, before: datetime, most_requests: int
    ) -> SignInReport:
        caller = self.callers(tenant, token)
        if not may_hold(token, {AUDIT_READ}):
            return SignInReport((), complete=False, requests=0, trouble=_not_permitted(caller))
        where = (
            f"signInEventTypes/any(t: t eq 'servicePrincipal') and appId eq '{_uuid(app_id)}' "
            f"and createdDateTime ge {_instant(since)} and createdDateTime le {_instant(before)}"
        )
        path: str | None = f"/auditLogs/signIns?$filter={quote(where)}&$top={PAGE}"
        found: list[SignIn] = []
        requests = 0
        while path is not None and requests < most_requests:
            requests += 1
            page, trouble = self._page(caller, path)
            if trouble:
                return SignInReport(tuple(found), complete=False, requests=requests, trouble=trouble)
            found += [each for each in map(_sign_in, page.items) if each]
            path = page.link
        found.sort(key=lambda each: each.at, reverse=True)
        return SignInReport(tuple(found), complete=path is None, requests=requests)

    def last_used(self, tenant: Tenant, token: AccessToken, app_id: str) -> ActivityReport:
        caller = self.callers(tenant, token)
        if not caller.cloud.reports_credentials:
            return ActivityReport({}, 0, _NOT_IN_CLOUD)
        where = quote(f"appId eq '{_uuid(app_id)}'")
        page, trouble = self._page(caller, f"/reports/appCredentialSignInActivities?$filter={where}")
        used = {key_id: each.at for key_id, each in _used(page.items).items()}
        if page.link and not trouble:
            trouble = ReportTrouble(Unobservable.PROVIDER, "The report of credentials has more pages than are read.")
        return ActivityReport(used, 1, trouble)

    def activities(self, tenant: Tenant, token: AccessToken, cursor: str | None) -> "ActivityPage":
        """Return a page of when the credentials of the tenant were last used, by key id: one request."""
        caller = self.callers(tenant, token)
        if not caller.cloud.reports_credentials:
            return ActivityPage({}, None, _NOT_IN_CLOUD)
        page, trouble = self._page(caller, cursor or "/reports/appCredentialSignInActivities")
        return ActivityPage(_used(page.items), page.link, trouble)

    def _page(self, caller: GraphContext, path: str) -> tuple["_Page", ReportTrouble | None]:
        try:
            response = self.graph.answer(
                caller, path if path.startswith("https:") else f"{caller.cloud.graph}/beta{path}"
            )
        except Upstream as error:
            return _Page(), ReportTrouble(Unobservable.PROVIDER, error.message, error.fix)
        if not 200 <= response.status < 300:
            return _Page(), self._trouble(caller, response)
        body = json_object(response.body) or {}
        items, link = body.get("value"), body.get("@odata.nextLink")
        if not isinstance(items, list) or (link is not None and not caller.cloud.is_graph(str(link))):
            return _Page(), ReportTrouble(Unobservable.PROVIDER, "Microsoft Graph's report cannot be read.")
        return _Page([item for item in items if isinstance(item, dict)], str(link) if link else None), None

    def _trouble(self, caller: GraphContext, response: HttpResponse) -> ReportTrouble:
        answer = graph_answer(response, self.clock.now())
        code = answer.codes[0] if answer.codes else ""
        if code == NO_LICENCE:
            return ReportTrouble(
                Unobservable.LICENCE,
                f"Tenant {caller.subject.tenant_id} has no licence for sign-in logs ({NO_LICENCE}).",
                "Sign-in logs by API need Microsoft Entra ID P1 or P2 in the tenant. A day after it was bought they begin.",
            )
        if response.status in {401, 403} and not answer.is_foreign:
            return _not_permitted(caller)
        if response.status == 429:
            return ReportTrouble(
                Unobservable.THROTTLED,
                "Microsoft Graph answers no more requests for reports at the moment (429).",
                "Nothing: it is asked again. Reports answer five requests in ten seconds, whoever asks.",
                answer.retry_after,
            )
        if response.status in {400, 404, 501} and not answer.is_foreign:
            return ReportTrouble(
                Unobservable.BETA_OFF,
                "Microsoft Graph has no report here that names credentials: it is part of its beta version "
                f"({quote_words(code, [caller.token.value]) or response.status}).",
            )
        return ReportTrouble(
            Unobservable.PROVIDER,
            f"Microsoft Graph did not answer with its report (status {response.status}).",
            retry_after=answer.retry_after,
        )


@dataclass(frozen=True)
class ActivityPage:
    """When credentials were last used, by key id. ``cursor`` asks for the next page."""

    used: Mapping[str, UsedKey]
    cursor: str | None
    trouble: ReportTrouble | None


def _used(items: Sequence[Mapping[str, Any]]) -> dict[str, UsedKey]:
    """Return the last use of each key that a report names, which may name one twice."""
    used: dict[str, UsedKey] = {}
    for item in items:
        activity, key_id = item.get("signInActivity"), _text(item, "keyId").lower()
        at = _moment(activity.get("lastSignInDateTime")) if isinstance(activity, dict) else None
        if key_id and at and (key_id not in used or at > used[key_id].at):
            used[key_id] = UsedKey(at, _text(item, "appId").lower(), _KEY_TYPES.get(_text(item, "keyType")))
    return used


def _not_permitted(caller: GraphContext) -> ReportTrouble:
    fix = grant(caller.token.client_id or caller.subject.app_id, AUDIT_READ)
    message = f"The connection may not read sign-in logs: it lacks the permission {AUDIT_READ}."
    return ReportTrouble(Unobservable.PERMISSION, message, fix)


@dataclass(frozen=True)
class _Page:
    items: Sequence[Mapping[str, Any]] = ()
    link: str | None = None


_NOT_IN_CLOUD = ReportTrouble(
    Unobservable.CLOUD,
    "This cloud has no report of the use of credentials: Microsoft offers it in the global cloud only.",
    "Let the programs acknowledge what they sign in with; or release the secret when you know that nobody uses it.",
)


def _sign_in(item: Mapping[str, Any]) -> SignIn | None:
    at, status = _moment(item.get("createdDateTime")), item.get("status")
    if at is None:
        return None
    error = status.get("errorCode") if isinstance(status, dict) else None
    return SignIn(
        at,
        _text(item, "servicePrincipalCredentialKeyId").lower(),
        error if isinstance(error, int) else 0,
        _text(item, "ipAddress")[:64],
        _text(item, "resourceDisplayName")[:100],
        _KINDS.get(_text(item, "clientCredentialType"), ""),
    )


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def _moment(text: object) -> datetime | None:
    """Return a moment; None for none, and for the first year, which Microsoft writes for *never*."""
    at = moment(text)
    return at if at and at.year > 1 else None


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _uuid(text: str) -> str:
    """Ids become parts of URLs, so nothing but UUIDs is let through."""
    return text if is_uuid(text) else _not_an_id()


def _not_an_id() -> NoReturn:
    raise ValueError("the client id is not a UUID")
