"""What the inventory reads of a tenant: lists of applications and service principals, owners, federated credentials, changes.

Sources: learn.microsoft.com/graph/api/{application-list,serviceprincipal-list,application-list-owners,application-delta,
application-list-federatedidentitycredentials,directoryaudit-list}, learn.microsoft.com/graph/delta-query-overview (a token holds
for seven days, then 410), learn.microsoft.com/graph/api/resources/agentidentityblueprint.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from keyturn.errors import NeedsAction, Permanent, RefusalReason, Upstream
from keyturn.kit.ids import is_uuid
from keyturn.ports.inventory import (
    ChangedObjects,
    DirectoryChange,
    KeyKind,
    ListedKey,
    ListedObject,
    ListedOwner,
    Listing,
    ObjectKind,
    ObjectPage,
    Policies,
    UsedKeys,
)
from keyturn.ports.provider import AccessToken, RemoteCredential, Tenant
from keyturn.providers.azure.capabilities import READERS
from keyturn.providers.azure.error_mapping import unreadable
from keyturn.providers.azure.error_row import ErrorSource
from keyturn.providers.azure.graph import (
    PERSONAL_AUDIENCES,
    PERSONAL_SLOTS,
    Graph,
    GraphContext,
    certificates_in,
    secrets_in,
)
from keyturn.providers.azure.policy_lists import PolicyLists
from keyturn.providers.azure.responses import moment
from keyturn.providers.azure.use_reports import GraphUseReports

T = TypeVar("T")
Item = Mapping[str, object]
Context = Callable[[Tenant, AccessToken], GraphContext]
_BLUEPRINT = "#microsoft.graph.agentIdentityBlueprint"
_PRINCIPAL = "#microsoft.graph.servicePrincipal"
_SHOWN = "id,appId,displayName,signInAudience,passwordCredentials,keyCredentials"
_OF_APPLICATION = f"$select={_SHOWN},createdDateTime,isDisabled"
_OF_PRINCIPAL = f"$select={_SHOWN},accountEnabled,appOwnerOrganizationId,servicePrincipalType"
_CAST = "microsoft.graph.agentIdentityBlueprint"
_LISTS = {
    Listing.APPLICATIONS: f"/applications?{_OF_APPLICATION}",
    Listing.BLUEPRINTS: f"/applications/{_CAST}?{_OF_APPLICATION}",
    Listing.PRINCIPALS: f"/servicePrincipals?{_OF_PRINCIPAL}&$filter=servicePrincipalType%20eq%20'Application'",
}
# Only changes of what is selected are told of.
_CHANGES = {
    Listing.APPLICATIONS: "/applications/delta?$select=id,displayName,signInAudience,passwordCredentials,keyCredentials",
    Listing.PRINCIPALS: "/servicePrincipals/delta?$select=id,displayName,accountEnabled,passwordCredentials,keyCredentials",
}
_OWNERS = "$select=id,displayName,userPrincipalName,accountEnabled&$top=100"
_MOST_OWNER_PAGES = 10
_LONGEST_NAME = 256
"""Of the characters of a name, as Microsoft limits them: what is sorted by must not become any longer.

https://learn.microsoft.com/graph/api/resources/application
"""
_NOT_THERE = "azure.application_not_found"


class AzureDirectory:
    """``ports.inventory.DirectoryReader`` for Microsoft Graph. Safe to share between threads; holds no secret and no token."""

    def __init__(self, graph: Graph, context: Context, reports: GraphUseReports) -> None:
        self._graph = graph
        self._context = context
        self._reports = reports

    def sees_all(self, token: AccessToken) -> bool:
        """Say whether the token lists the whole directory. One that cannot be read is taken for one that does: Graph tells."""
        held = token.scopes if token.on_behalf else token.roles
        return bool(READERS.intersection(held)) or not held

    def page(
        self, tenant: Tenant, token: AccessToken, listing: Listing, cursor: str | None, size: int
    ) -> ObjectPage | None:
        """Return a page of at most ``size`` objects; None where this directory has no such list. Repeatable."""
        caller = self._context(tenant, token)
        first = self._owned(token) if listing is Listing.OWNED else f"{_LISTS[listing]}&$top={size}"
        try:
            items, following = self._graph.page(caller, cursor or first)
        except Upstream as refusal:
            if listing is Listing.BLUEPRINTS and cursor is None and _has_no_such_list(refusal):
                return None
            raise
        kind = ObjectKind.BLUEPRINT if listing is Listing.BLUEPRINTS else None
        objects = (_object(item, kind or _kind(item, listing)) for item in items if _is_shown(item, listing))
        return ObjectPage(tuple(each for each in objects if each.object_id), following)

    def object(self, tenant: Tenant, token: AccessToken, kind: ObjectKind, object_id: str) -> ListedObject | None:
        """Return one object as it is now; None for one that is not there, or not of this kind. Repeatable."""
        shown = _OF_PRINCIPAL if kind is ObjectKind.PRINCIPAL else _OF_APPLICATION
        try:
            item = self._graph.read(self._context(tenant, token), f"{_path(kind, object_id)}?{shown}")
        except NeedsAction as refusal:
            if refusal.code != _NOT_THERE:
                raise
            return None
        if kind is ObjectKind.PRINCIPAL and not _is_of_application(item):
            return None
        is_blueprint = kind is ObjectKind.BLUEPRINT or item.get("@odata.type") == _BLUEPRINT
        return _object(item, ObjectKind.BLUEPRINT if is_blueprint else kind)

    def owners(
        self, tenant: Tenant, token: AccessToken, kind: ObjectKind, object_id: str
    ) -> Sequence[ListedOwner] | None:
        """Return who owns an object, the first thousand, by a request for each hundred; None where it may not be read."""
        caller = self._context(tenant, token)
        path = f"{_path(kind, object_id)}/owners?{_OWNERS}"
        owners: list[ListedOwner] = []
        for _ in range(_MOST_OWNER_PAGES):
            page = _where_permitted(partial(self._graph.page, caller, path))
            if page is None:
                return None
            items, following = page
            owners += map(_owner, items)
            if following is None:
                break
            path = following
        return owners

    def federated(self, tenant: Tenant, token: AccessToken, object_id: str) -> Sequence[ListedKey] | None:
        """Return the federated credentials of an application; None where they may not be read. Repeatable."""
        caller = self._context(tenant, token)
        path = f"{_path(ObjectKind.APPLICATION, object_id)}/federatedIdentityCredentials"
        page = _where_permitted(lambda: self._graph.page(caller, path))
        return None if page is None else [_federated(item) for item in page[0] if _text(item, "id")]

    def changes(self, tenant: Tenant, token: AccessToken, listing: Listing, since: str | None) -> ChangedObjects:
        """Return what changed since a token or cursor; with None nothing but a token to ask with later. Repeatable."""
        caller = self._context(tenant, token)
        body = self._graph.read(caller, since or f"{_CHANGES[listing]}&$deltatoken=latest")
        items = body.get("value")
        following, later = (_link(caller, body.get(f"@odata.{name}Link")) for name in ("next", "delta"))
        if not isinstance(items, list) or not (following or later):
            raise unreadable(ErrorSource.GRAPH, None)
        ids = (_text(item, "id").lower() for item in items if isinstance(item, dict))
        return ChangedObjects(tuple(dict.fromkeys(filter(None, ids))), following, later)

    def uses(self, tenant: Tenant, token: AccessToken, cursor: str | None) -> UsedKeys:
        """Return when credentials last signed in, as far as Entra ID reports it. Repeatable."""
        page = self._reports.activities(tenant, token, cursor)
        return UsedKeys(page.used, page.cursor, page.trouble)

    def policies(self, tenant: Tenant, token: AccessToken) -> Policies:
        """Return which policies limit new credentials, and what they are assigned to. Repeatable."""
        return PolicyLists(self._graph, self._context(tenant, token)).read()

    def changed_by(
        self, tenant: Tenant, token: AccessToken, object_id: str, since: datetime
    ) -> Sequence[DirectoryChange] | None:
        """Return who changed the credentials of an object since then, newest first; None where that may not be read."""
        _require(object_id)
        caller = self._context(tenant, token)
        criteria = (
            f"activityDateTime ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} and category eq 'ApplicationManagement'"
            f" and targetResources/any(t:t/id eq '{object_id}')"
        )
        path = f"/auditLogs/directoryAudits?$filter={criteria.replace(' ', '%20')}&$top=50"
        try:
            page = _where_permitted(lambda: self._graph.page(caller, path))
        except Permanent:
            return None  # a cloud without the log, or a tenant without the licence for it
        if page is None:
            return None
        found = [_change(item) for item in page[0] if _concerns_credentials(item)]
        return sorted((each for each in found if each), key=lambda each: each.at, reverse=True)

    def _owned(self, token: AccessToken) -> str:
        if token.principal_id is None or token.on_behalf:
            return f"/me/ownedObjects/microsoft.graph.application?{_OF_APPLICATION}"
        return f"/servicePrincipals/{token.principal_id}/ownedObjects"


def _path(kind: ObjectKind, object_id: str) -> str:
    """Ids become parts of URLs, so nothing but UUIDs is let through."""
    _require(object_id)
    return f"/{'servicePrincipals' if kind is ObjectKind.PRINCIPAL else 'applications'}/{object_id}"


def _require(object_id: str) -> None:
    if not is_uuid(object_id):
        raise Permanent(
            "The object id is not a UUID.",
            code="azure.object_id_malformed",
            fix="Copy it from App registrations in the portal.",
        )


def _where_permitted(read: Callable[[], T]) -> T | None:
    """Return what is read; None where the connection lacks the permission, or the tenant the licence. 404 is such, too, of
    an object that went meanwhile."""
    try:
        return read()
    except Upstream as refusal:
        if refusal.reason is RefusalReason.PERMISSION:
            return None
        raise


def _has_no_such_list(refusal: Upstream) -> bool:
    return isinstance(refusal, Permanent) or refusal.code == _NOT_THERE


def _link(caller: GraphContext, link: object) -> str | None:
    """Return the path behind a link of Graph. The token goes wherever it leads, so another address is not followed."""
    base = f"{caller.cloud.graph}/v1.0"
    if link is None:
        return None
    if not isinstance(link, str) or not link.startswith(f"{base}/"):
        raise unreadable(ErrorSource.GRAPH, None)
    return link.removeprefix(base)


def _kind(item: Item, listing: Listing) -> ObjectKind:
    told = item.get("@odata.type")
    if told == _BLUEPRINT:
        return ObjectKind.BLUEPRINT
    return ObjectKind.PRINCIPAL if listing is Listing.PRINCIPALS or told == _PRINCIPAL else ObjectKind.APPLICATION


def _is_shown(item: Item, listing: Listing) -> bool:
    """What somebody owns may be a group as well. Of principals only what an application has."""
    if listing is Listing.OWNED:
        told = item.get("@odata.type")
        return told in {None, "#microsoft.graph.application", _BLUEPRINT} or (
            told == _PRINCIPAL and _is_of_application(item)
        )
    return True


def _is_of_application(principal: Item) -> bool:
    """Credentials of managed identities are Azure's own: nobody sees to them."""
    return principal.get("servicePrincipalType") in {"Application", None}


def _object(item: Item, kind: ObjectKind) -> ListedObject:
    audience, home = _text(item, "signInAudience"), _text(item, "appOwnerOrganizationId").lower()
    enabled, disabled = item.get("accountEnabled"), item.get("isDisabled")
    if kind is ObjectKind.PRINCIPAL:
        is_disabled = not enabled if isinstance(enabled, bool) else None
    else:
        is_disabled = disabled is True if disabled is None or isinstance(disabled, bool) else None
    secrets, certificates = secrets_in(item), certificates_in(item)
    limited = audience in PERSONAL_AUDIENCES and kind is not ObjectKind.PRINCIPAL
    return ListedObject(
        kind,
        _text(item, "id").lower(),
        _text(item, "appId").lower(),
        _text(item, "displayName")[:_LONGEST_NAME],
        audience,
        is_disabled,
        home or None,
        (
            *(_key(KeyKind.SECRET, each) for each in secrets),
            *(_key(KeyKind.CERTIFICATE, each) for each in certificates),
        ),
        PERSONAL_SLOTS if limited else None,
        moment(item.get("createdDateTime")),
    )


def _key(kind: KeyKind, listed: RemoteCredential) -> ListedKey:
    return ListedKey(kind, listed.key_id, listed.name, listed.hint, listed.starts_at, listed.ends_at)


def _federated(item: Item) -> ListedKey:
    # A flexible one has an expression instead of a subject.
    expression = item.get("claimsMatchingExpression")
    subject = _text(item, "subject") or (_text(expression, "value") if isinstance(expression, dict) else "")
    return ListedKey(
        KeyKind.FEDERATED,
        _text(item, "id").lower(),
        _text(item, "name") or None,
        issuer=_text(item, "issuer") or None,
        subject=subject or None,
    )


def _owner(item: Item) -> ListedOwner:
    told = str(item.get("@odata.type") or "")
    kind = {"#microsoft.graph.user": "user", _PRINCIPAL: ObjectKind.PRINCIPAL.value}.get(told, "other")
    enabled = item.get("accountEnabled")
    name = _text(item, "userPrincipalName") or _text(item, "displayName")
    return ListedOwner(_text(item, "id").lower(), name, kind, None if not isinstance(enabled, bool) else not enabled)


def _concerns_credentials(item: Item) -> bool:
    return "ertificates and secrets" in _text(item, "activityDisplayName") or "credentials" in _text(
        item, "activityDisplayName"
    )


def _change(item: Item) -> DirectoryChange | None:
    by = item.get("initiatedBy")
    sides = [by.get(side) for side in ("user", "app")] if isinstance(by, dict) else []
    actor = next((side for side in sides if isinstance(side, dict)), {})
    try:
        at = datetime.fromisoformat(_text(item, "activityDateTime"))
    except ValueError:
        return None
    name = _text(actor, "userPrincipalName") or _text(actor, "displayName")
    actor_id = _text(actor, "id") or _text(actor, "servicePrincipalId") or _text(actor, "appId")
    return DirectoryChange(at.replace(tzinfo=at.tzinfo or UTC), name or actor_id or "unknown", actor_id or None)


def _text(item: Item, name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""
