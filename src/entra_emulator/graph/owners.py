"""Owners of applications and of service principals."""

from __future__ import annotations

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Holder
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.errors import bad_request, empty, not_found
from entra_emulator.graph.lookup import Key, reference_in, referenced, the_application, the_principal
from entra_emulator.graph.permissions import may_manage_owners
from entra_emulator.graph.writes import check_quiet, committed


def _list(call: Call, keys: tuple[Key, ...]) -> Response:
    application = the_application(call, keys[0], write=False)
    return views.object_list(call, call.home().owners_of(application))


def _count(call: Call, keys: tuple[Key, ...]) -> Response:
    call.listed = ("", "$count")
    return _list(call, keys)


def _list_of_principal(call: Call, keys: tuple[Key, ...]) -> Response:
    principal = the_principal(call, keys[0], write=False)
    return views.object_list(call, call.home().owners_of(principal))


def _add(call: Call, keys: tuple[Key, ...]) -> Response:
    may_manage_owners(call)
    application = the_application(call, keys[0], write=True)
    check_quiet(call, application)
    _append(call, application, reference_in(call))
    return empty(call)


def _add_to_principal(call: Call, keys: tuple[Key, ...]) -> Response:
    may_manage_owners(call)
    principal = the_principal(call, keys[0], write=True)
    check_quiet(call, principal)
    _append(call, principal, reference_in(call))
    return empty(call)


def _append(call: Call, holder: Holder, reference: str) -> None:
    owner = referenced(call, reference, "owners").object_id
    if owner in holder.owners:
        raise bad_request(
            "One or more added object references already exist for the following modified properties: 'owners'."
        )
    holder.owners.append(owner)
    committed(call, holder, linked=True)


def _remove_from_principal(call: Call, keys: tuple[Key, ...]) -> Response:
    may_manage_owners(call)
    principal = the_principal(call, keys[0], write=True)
    check_quiet(call, principal)
    _take_out(call, principal, keys[1][1])
    return empty(call)


def _take_out(call: Call, holder: Holder, owner: str) -> None:
    if owner not in holder.owners:
        raise not_found(owner[:100])
    holder.owners.remove(owner)
    committed(call, holder, linked=True)


def _remove(call: Call, keys: tuple[Key, ...]) -> Response:
    may_manage_owners(call)
    application = the_application(call, keys[0], write=True)
    check_quiet(call, application)
    _take_out(call, application, keys[1][1])
    return empty(call)


ROUTES = (
    ("GET", "applications/{}/owners", "listOwners", _list),
    ("GET", "applications/{}/owners/$count", "countOwners", _count),
    ("GET", "servicePrincipals/{}/owners", "listServicePrincipalOwners", _list_of_principal),
    ("POST", "applications/{}/owners/$ref", "addOwner", _add),
    ("DELETE", "applications/{}/owners/{}/$ref", "removeOwner", _remove),
    ("POST", "servicePrincipals/{}/owners/$ref", "addServicePrincipalOwner", _add_to_principal),
    ("DELETE", "servicePrincipals/{}/owners/{}/$ref", "removeServicePrincipalOwner", _remove_from_principal),
)
