"""A tenant and all that is in it from one file, so that a test or a container begins with it.

The file holds `{"tenants": [...]}`: of each tenant what the admin API takes (`name`, `domain`, `tenant_id`, `settings`), and the
lists `users`, `applications` and `subscriptions` with what their routes take, in this order; an application's `certificates` and
extra `credentials` as well. Whoever is named in `owners` may be a user or an application by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from entra_emulator.core.wire import Request, Response, json_body, read_json

Answer = Callable[[Request], Response]
_LISTS = ("users", "applications", "subscriptions")


def plant(answer: Answer, text: bytes) -> None:
    """Makes everything in the file. Raises ValueError that says where it does not fit; what came before is there then."""
    try:
        content = read_json(text)
    except ValueError as error:
        raise ValueError(f"the seed file is not JSON: {error}") from error
    tenants = content.get("tenants") if isinstance(content, dict) else None
    if not isinstance(tenants, list) or set(content) != {"tenants"}:
        raise ValueError('a seed file is an object with one member, "tenants", which is a list')
    for number, tenant in enumerate(tenants):
        _plant_tenant(answer, tenant, f"tenants[{number}]")


def _plant_tenant(answer: Answer, tenant: Any, place: str) -> None:
    if not isinstance(tenant, dict):
        raise ValueError(f"{place} is not an object")  # noqa: TRY004 - bad input, like all other bad input here
    own = {name: value for name, value in tenant.items() if name not in _LISTS}
    tenant_id = _ask(answer, "tenants", own, place)["id"]
    known: dict[str, str] = {}
    for kind in _LISTS:
        for number, item in enumerate(tenant.get(kind) or []):
            _plant_one(answer, (tenant_id, kind), item, f"{place}.{kind}[{number}]", known)


def _plant_one(answer: Answer, where: tuple[str, str], item: Any, place: str, known: dict[str, str]) -> None:
    """`known` are the object ids of users and service principals by their names."""
    if not isinstance(item, dict):
        raise ValueError(f"{place} is not an object")  # noqa: TRY004 - as above
    tenant_id, kind = where
    body = {name: value for name, value in item.items() if name not in {"certificates", "credentials"}}
    if isinstance(body.get("owners"), list):
        body["owners"] = [known.get(str(owner), owner) for owner in body["owners"]]
    made = _ask(answer, f"tenants/{tenant_id}/{kind}", body, place)
    if kind == "users":
        known[item["name"]] = made["object_id"]
    if kind == "applications":
        known[item["name"]] = made["principal_id"]
        for name, route in (("credentials", "secrets"), ("certificates", "certificates")):
            for number, credential in enumerate(item.get(name) or []):
                _ask(answer, f"applications/{made['object_id']}/{route}", credential, f"{place}.{name}[{number}]")


def _ask(answer: Answer, route: str, body: Any, place: str) -> Any:
    response = answer(Request("POST", f"/_emulator/{route}", {}, json_body(body)))
    if response.status >= 400:
        raise ValueError(f"{place}: {response.json()['error']}")
    return response.json()
