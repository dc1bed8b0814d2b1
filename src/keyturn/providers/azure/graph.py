"""The few calls to Microsoft Graph that rotation needs. One request each, never a write twice; lists take one per page."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from keyturn.errors import NotYet, Permanent
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.http import HttpRequest, HttpResponse, Transport, TransportFailed
from keyturn.ports.provider import (
    AccessToken,
    ApplicationSummary,
    IssuedCredential,
    Principal,
    RemoteApplication,
    RemoteCredential,
    SigningCertificate,
)
from keyturn.providers.azure.clouds import Cloud
from keyturn.providers.azure.error_mapping import ErrorContext, no_answer, refusal, unreadable
from keyturn.providers.azure.error_row import ErrorSource
from keyturn.providers.azure.errors import row_for
from keyturn.providers.azure.key_pairs import dates_of, name_of, thumbprint_of, thumbprint_of_bytes
from keyturn.providers.azure.responses import graph_answer, json_object, moment

PERSONAL_AUDIENCES = frozenset({"AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"})
PERSONAL_SLOTS = 2
_SECRETS, _KEYS = "passwordCredentials", "keyCredentials"
_PAGES = 1000
_VERSION = "/v1.0"
_APPLICATION = "#microsoft.graph.application"
_PROOF_REFUSED = frozenset({"Authorization_RequestDenied", "Authentication_MissingOrMalformed"})


class _Unreadable(Exception):
    """A success whose body is not what it should be."""


@dataclass(frozen=True)
class _Page:
    items: Sequence[Mapping[str, object]] = field(repr=False)
    link: str | None = field(repr=False)


@dataclass(frozen=True)
class GraphContext:
    """Who calls which Graph about what."""

    cloud: Cloud
    token: AccessToken
    subject: ErrorContext


class Graph:
    """Calls Graph. Safe to share between threads."""

    def __init__(self, transport: Transport, clock: Clock, ids: Ids, timeout: timedelta) -> None:
        self._transport = transport
        self._clock = clock
        self._ids = ids
        self._timeout = timeout

    def application(self, caller: GraphContext, key: str) -> RemoteApplication:
        """Read one application. ``key`` is ``(appId='...')`` or ``/<object id>``. Repeatable."""
        return self._selected(caller, key, _SECRETS)

    def application_with_keys(self, caller: GraphContext, key: str) -> RemoteApplication:
        """Read one application as :meth:`application` does, with its certificates instead of its secrets. Repeatable.

        The whole object is read: selecting the collection brings the bytes of all certificates and a far lower limit of calls.
        """
        return self._application(caller, f"/applications{key}", key, _KEYS)

    def application_with_key_bytes(self, caller: GraphContext, key: str) -> RemoteApplication:
        """Read one application with its certificates themselves, each known by its own thumbprint. Repeatable; costly."""
        return self._selected(caller, key, _KEYS)

    def _selected(self, caller: GraphContext, key: str, collection: str) -> RemoteApplication:
        path = f"/applications{key}?$select=id,appId,displayName,signInAudience,{collection}"
        with suppress(Permanent):
            return self._application(caller, f"{path},isDisabled", key, collection)
        # What a Graph does not know it refuses to select, and those of national clouds learn later.
        return self._application(caller, path, key, collection)

    def _application(self, caller: GraphContext, path: str, key: str, collection: str) -> RemoteApplication:
        response = self.call(caller, "GET", path)
        with suppress(_Unreadable):
            return _application(_body(response), key, collection)
        raise unreadable(ErrorSource.GRAPH, response.headers.get("request-id"))

    def applications(self, caller: GraphContext) -> list[ApplicationSummary]:
        """List all applications of the tenant. Repeatable."""
        first = "/applications?$select=id,appId,displayName&$top=999"
        return [_summary(item) for item in self.items(caller, first)]

    def page(
        self, caller: GraphContext, path: str, *, eventual: bool = False
    ) -> tuple[Sequence[Mapping[str, object]], str | None]:
        """Read one page of a list, and return its items and the path of the next one. Repeatable.

        ``eventual``: from the index that alone can be searched, and that lags behind.
        """
        response = self.call(caller, "GET", path, eventual=eventual)
        page, base = _page(response), caller.cloud.graph + _VERSION
        if page is None or not (page.link or base).startswith(base):
            raise unreadable(ErrorSource.GRAPH, response.headers.get("request-id"))
        return page.items, page.link.removeprefix(base) if page.link else None

    def read(self, caller: GraphContext, path: str) -> Mapping[str, object]:
        """Read what is there: a page of a list with its links, or an object. Repeatable."""
        response = self.call(caller, "GET", path)
        with suppress(_Unreadable):
            return _body(response)
        raise unreadable(ErrorSource.GRAPH, response.headers.get("request-id"))

    def answer(self, caller: GraphContext, path: str) -> HttpResponse:
        """Return whatever is answered; ``path`` may be a URL of this Graph. Raises Retryable when nothing is. Repeatable."""
        return self._send(caller, "GET", path)

    def owned_applications(self, caller: GraphContext, principal_id: str) -> list[ApplicationSummary]:
        """List the applications that a service principal owns. Repeatable."""
        return [_summary(item) for item in self.owned(caller, principal_id)]

    def owned(self, caller: GraphContext, principal_id: str) -> list[Mapping[str, object]]:
        """Read the applications that a service principal owns. Repeatable."""
        items = self.items(caller, f"/servicePrincipals/{principal_id}/ownedObjects")
        return [item for item in items if item.get("@odata.type") == _APPLICATION]

    def owner_ids(self, caller: GraphContext, object_id: str) -> frozenset[str]:
        """List who owns an application. Repeatable."""
        items = self.items(caller, f"/applications/{object_id}/owners?$select=id")
        return frozenset((_optional(item, "id") or "").lower() for item in items)

    def principal(self, caller: GraphContext, app_id: str) -> Principal:
        """Say what service principal of the application the tenant has. Repeatable. A replica may not know a new one yet."""
        response = self._send(caller, "GET", f"/servicePrincipals(appId='{app_id}')?$select=id,accountEnabled")
        if 200 <= response.status < 300:
            found = json_object(response.body) or {}
            return Principal.DISABLED if found.get("accountEnabled") is False else Principal.ENABLED
        if row_for(ErrorSource.GRAPH, graph_answer(response, self._clock.now())).code != "azure.application_not_found":
            self._refuse(caller, response, writing=False)
        return Principal.MISSING

    def add_password(self, caller: GraphContext, object_id: str, marker: str, ends_at: datetime) -> IssuedCredential:
        """Ask for a new secret. NOT repeatable. Raises Unanswered when it may have been made."""
        end = ends_at.astimezone(UTC).replace(microsecond=0)
        body = {"passwordCredential": {"displayName": marker, "endDateTime": f"{end:%Y-%m-%dT%H:%M:%SZ}"}}
        response = self.call(caller, "POST", f"/applications/{object_id}/addPassword", body)
        issued = _issued(response, self._clock.now(), end)
        if issued is None:
            # The secret was made, and its value is lost: only the marker can find it again.
            raise unreadable(ErrorSource.GRAPH, response.headers.get("request-id"), writing=True)
        return issued

    def remove_password(self, caller: GraphContext, object_id: str, key_id: str) -> None:
        """Ask for removal. Repeatable. A key that Graph does not find counts as asked for, not as gone."""
        response = self._send(caller, "POST", f"/applications/{object_id}/removePassword", {"keyId": key_id})
        self._accept_removal(caller, response)

    def add_key(
        self, caller: GraphContext, object_id: str, marker: str, certificate: SigningCertificate, proof: Plaintext
    ) -> IssuedCredential:
        """Register a certificate. NOT repeatable. Raises Unanswered when it may have been done."""
        starts, ends, der = dates_of(certificate)
        key_credential = {
            "type": "AsymmetricX509Cert",
            "usage": "Verify",
            "displayName": marker,
            "startDateTime": f"{starts:%Y-%m-%dT%H:%M:%SZ}",
            "endDateTime": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
            "key": base64.b64encode(der).decode(),
        }
        content = {"keyCredential": key_credential, "passwordCredential": None}
        response = self._send(caller, "POST", f"/applications/{object_id}/addKey", content, proof)
        self._check_proof(caller, response)
        if not 200 <= response.status < 300:
            self._refuse(caller, response, writing=True)
        key_id = _optional(json_object(response.body) or {}, "keyId")
        if key_id is None:
            raise unreadable(ErrorSource.GRAPH, response.headers.get("request-id"), writing=True)
        return IssuedCredential(key_id.lower(), certificate.thumbprint, certificate.packed(), starts, ends)

    def remove_key(self, caller: GraphContext, object_id: str, key_id: str, proof: Plaintext) -> None:
        """Ask for removal of a certificate. Repeatable. One that Graph does not find counts as asked for, not as gone."""
        response = self._send(caller, "POST", f"/applications/{object_id}/removeKey", {"keyId": key_id}, proof)
        self._check_proof(caller, response)
        self._accept_removal(caller, response)

    def _accept_removal(self, caller: GraphContext, response: HttpResponse) -> None:
        if response.status < 300:
            return
        if row_for(ErrorSource.GRAPH, graph_answer(response, self._clock.now())).code != "azure.key_not_found":
            self._refuse(caller, response, writing=True)

    def _check_proof(self, caller: GraphContext, response: HttpResponse) -> None:
        """An application may roll its own keys without any permission, so a denial is about the proof.

        Another replica may not know yet the key that signed it.
        """
        answer = graph_answer(response, self._clock.now())
        if not _PROOF_REFUSED.intersection(answer.codes):
            return
        subject = caller.subject
        raise NotYet(
            f"Microsoft Graph does not accept the proof that this server has a key of application {subject.app_id}.",
            code="azure.proof_refused",
            fix="A certificate added in the last minutes may still be spreading. Otherwise check that the certificate that signs "
            f"in is still on the application: {subject.portal}, Certificates; and check this server's clock.",
            request_id=answer.request_id,
        )

    def items(self, caller: GraphContext, path: str) -> Iterator[Mapping[str, object]]:
        """Yield the items of all pages. A page may be empty; a link elsewhere or in a circle is not followed. Repeatable."""
        visited = {path}
        while True:
            response = self.call(caller, "GET", path)
            page = _page(response)
            if page is None:
                break
            yield from page.items
            if page.link is None:
                return
            # The token goes wherever the link says, so only this cloud's Graph is good enough.
            if page.link in visited or len(visited) >= _PAGES or not caller.cloud.is_graph(page.link):
                break
            visited.add(page.link)
            path = page.link
        raise unreadable(ErrorSource.GRAPH, response.headers.get("request-id"))

    def call(
        self,
        caller: GraphContext,
        method: str,
        path: str,
        content: Mapping[str, object] | None = None,
        *,
        eventual: bool = False,
    ) -> HttpResponse:
        response = self._send(caller, method, path, content, eventual=eventual)
        if not 200 <= response.status < 300:
            self._refuse(caller, response, writing=method != "GET")
        return response

    def _send(
        self,
        caller: GraphContext,
        method: str,
        path: str,
        content: Mapping[str, object] | None = None,
        proof: Plaintext | None = None,
        *,
        eventual: bool = False,
    ) -> HttpResponse:
        request = self._request(caller, method, path, content, proof)
        if eventual:
            request = replace(request, headers={**request.headers, "consistencylevel": "eventual"})
        try:
            return self._transport.send(request)
        except TransportFailed as failed:
            failure = failed
        # Raised outside the handler, so that no traceback leads to frames that hold the token.
        raise no_answer(ErrorSource.GRAPH, failure, writing=method != "GET")

    def _request(
        self,
        caller: GraphContext,
        method: str,
        path: str,
        content: Mapping[str, object] | None,
        proof: Plaintext | None,
    ) -> HttpRequest:
        headers = {
            "authorization": f"Bearer {caller.token.value.reveal()}",
            "accept": "application/json",
            "client-request-id": self._ids.new(),
        }
        body = b""
        if content is not None:
            headers["content-type"] = "application/json"
            body = json.dumps(content if proof is None else {**content, "proof": proof.reveal()}).encode()
        url = path if path.startswith("https:") else f"{caller.cloud.graph}{_VERSION}{path}"
        return HttpRequest(method, url, headers, body, self._timeout)

    def _refuse(self, caller: GraphContext, response: HttpResponse, *, writing: bool) -> NoReturn:
        answer = graph_answer(response, self._clock.now())
        raise refusal(ErrorSource.GRAPH, answer, caller.subject, [caller.token.value], writing=writing)


def _application(body: Mapping[str, object], key: str, collection: str) -> RemoteApplication:
    object_id, app_id = _text(body, "id").lower(), _text(body, "appId").lower()
    if object_id not in key.lower() and app_id not in key.lower():
        raise _Unreadable
    audience = _optional(body, "signInAudience") or ""
    entries = body.get(collection)
    if not isinstance(entries, list):
        # Without the list, "absent" would mean nothing: a key must never be believed gone for a field left out.
        raise _Unreadable
    return RemoteApplication(
        object_id=object_id,
        app_id=app_id,
        name=_optional(body, "displayName") or "",
        audience=audience,
        credentials=tuple(_credential(item, collection) for item in entries),
        slots=PERSONAL_SLOTS if audience in PERSONAL_AUDIENCES and collection == _SECRETS else None,
        deactivated=body.get("isDisabled") is True,
    )


def secrets_in(item: Mapping[str, object]) -> tuple[RemoteCredential, ...]:
    """Return the secrets of a listed application; those that cannot be read are left out."""
    return _credentials_in(item, _SECRETS)


def certificates_in(item: Mapping[str, object]) -> tuple[RemoteCredential, ...]:
    """Return the certificates of a listed application; those that cannot be read are left out."""
    return _credentials_in(item, _KEYS)


def _credentials_in(item: Mapping[str, object], collection: str) -> tuple[RemoteCredential, ...]:
    found: list[RemoteCredential] = []
    entries = item.get(collection)
    for entry in entries if isinstance(entries, list) else ():
        with suppress(_Unreadable):
            found.append(_credential(entry, collection))
    return tuple(found)


def _credential(item: object, collection: str) -> RemoteCredential:
    if not isinstance(item, dict):
        raise _Unreadable
    identifier = item.get("customKeyIdentifier")
    if collection == _SECRETS:
        hint = _optional(item, "hint")
    else:
        hint = thumbprint_of_bytes(item.get("key")) or thumbprint_of(identifier)
    return RemoteCredential(
        key_id=_text(item, "keyId").lower(),
        name=_optional(item, "displayName") or (name_of(identifier) if collection == _SECRETS else None),
        hint=hint,
        starts_at=moment(item.get("startDateTime")),
        ends_at=moment(item.get("endDateTime")),
    )


def _issued(response: HttpResponse, now: datetime, end: datetime) -> IssuedCredential | None:
    """None instead of an exception, which would lead to this frame and the secret in it."""
    body = json_object(response.body) or {}
    key_id, value = _optional(body, "keyId"), _optional(body, "secretText")
    if key_id is None or value is None:
        return None
    return IssuedCredential(
        key_id=key_id.lower(),
        hint=_optional(body, "hint") or value[:3],
        value=Plaintext(value),
        starts_at=moment(body.get("startDateTime")) or now,
        ends_at=moment(body.get("endDateTime")) or end,
    )


def _summary(item: Mapping[str, object]) -> ApplicationSummary:
    return ApplicationSummary(
        _optional(item, "id") or "", _optional(item, "appId") or "", _optional(item, "displayName") or ""
    )


def _page(response: HttpResponse) -> _Page | None:
    body = json_object(response.body) or {}
    items, link = body.get("value"), body.get("@odata.nextLink")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return None
    return _Page(items, link) if link is None or isinstance(link, str) else None


def _body(response: HttpResponse) -> dict[str, object]:
    body = json_object(response.body)
    if body is None:
        raise _Unreadable
    return body


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _Unreadable
    return value


def _optional(body: Mapping[str, object], name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) and value else None
