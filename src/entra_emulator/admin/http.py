"""The admin API under `/_emulator/`: what `admin.py` offers, in JSON. Not part of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol, runtime_checkable
from urllib.parse import unquote

from entra_emulator.admin.admin import Admin
from entra_emulator.admin.changes import Misfit, changed, fault_as_json, read_fault, settings_as_json
from entra_emulator.admin.members import Body, attributes, flag, moment, only, shown, text, text_or_none, texts
from entra_emulator.admin.snapshot import put, take
from entra_emulator.core.clock import graph_time
from entra_emulator.core.wire import Request, Response, json_body, read_json
from entra_emulator.directory.directory import Application
from entra_emulator.directory.redirects import PLATFORMS
from entra_emulator.directory.world import World
from entra_emulator.faults.faults import Settings
from entra_emulator.faults.ledger import Entry
from entra_emulator.graph.errors import GraphError
from entra_emulator.sign_in.browser import SignInStopped

_JSON = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
_ENTRY_FIELDS = {item.name: item.type for item in fields(Entry)}
_NEW_APPLICATION = frozenset({
    "name", "permissions", "owners", "owns_itself", "audience", "secrets", "app_id", "object_id", "identifier_uris",
    "token_version", "redirect_uris", "scopes", "roles", "blueprint",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request: what stands in the places of the path, the body and the query."""

    names: list[str]
    body: Body
    query: Mapping[str, str]


Work = Callable[[_Ask], Any]


@runtime_checkable
class _Movable(Protocol):
    def advance(self, seconds: float) -> None: ...


class AdminApi:
    """Answers the admin API's requests. Holds no state of its own."""

    def __init__(self, world: World, admin: Admin, seed_demo: Callable[[tuple[str, ...]], Body]) -> None:
        self._world = world
        self._admin = admin
        self._seed_demo = seed_demo
        self._routes = self._table()

    def handle(self, request: Request, path: str, query: Mapping[str, str]) -> Response:
        """Answers one request: 2xx with JSON, 400 with `{"error": reason}` for what does not fit, 404 or 405."""
        names, methods = self._find([unquote(part) for part in path.strip("/").split("/")[1:]])
        if not methods:
            return _answer(404, {"error": "no such admin route"})
        work = methods.get(request.method)
        if work is None:
            return _answer(405, {"error": f"use {', '.join(sorted(methods))}"})
        try:
            body = read_json(request.body) if request.body.strip() else {}
            if not isinstance(body, dict):
                return _answer(400, {"error": "the body is a JSON object"})
            return _answer(201 if request.method == "POST" else 200, work(_Ask(names, body, query)))
        except GraphError as error:
            return _answer(400, {"error": error.message})
        except (ValueError, TypeError, AttributeError) as error:
            return _answer(400, {"error": str(error)[:500]})

    def _find(self, parts: list[str]) -> tuple[list[str], dict[str, Work]]:
        """The route of this path, `{}` standing for any one part, and what stands in those places."""
        for pattern, methods in self._routes.items():
            segments = pattern.split("/")
            if len(segments) == len(parts) and all(
                segment in {"{}", part} for segment, part in zip(segments, parts, strict=True)
            ):
                return [part for segment, part in zip(segments, parts, strict=True) if segment == "{}"], methods
        return [], {}

    def _table(self) -> dict[str, dict[str, Work]]:
        admin, world = self._admin, self._world
        return {
            "export": {"GET": lambda _: take(world, getattr(world.clock, "ahead", 0.0), None)},
            "import": {"POST": lambda ask: self._import(ask.body)},
            "health": {"GET": lambda _: {"status": "ok"}},
            "clock": {"GET": lambda _: self._time(), "POST": lambda ask: self._advance(ask.body)},
            "reset": {"POST": lambda _: admin.reset()},
            "demo": {"POST": lambda ask: self._seed_demo(texts(ask.body, "redirect_uris"))},
            "faults": {
                "GET": lambda _: [fault_as_json(item) for item in world.faults.pending()],
                "POST": lambda ask: self._add_fault(ask.body),
                "DELETE": lambda _: world.faults.clear(),
            },
            "faults/{}": {"DELETE": lambda ask: world.faults.remove(ask.names[0])},
            "ledger": {"GET": lambda ask: self._ledger(ask.query)},
            "ledger/saw": {"POST": lambda ask: {"seen": world.ledger.saw_plaintext(text(ask.body, "text"))}},
            "issuers": {
                "GET": lambda _: world.issuers.as_json(),
                "POST": lambda ask: self._trust(ask.body),
                "DELETE": lambda _: admin.forget_issuers(),
            },
            "tenants/{}/managed-identities": {"POST": lambda ask: self._new_identity(ask.names[0], ask.body)},
            "tenants": {"GET": lambda _: self._tenants(), "POST": lambda ask: self._new_tenant(ask.body)},
            "tenants/{}/settings": {
                "GET": lambda ask: settings_as_json(admin.settings(ask.names[0])),
                "PATCH": lambda ask: settings_as_json(admin.configure(ask.names[0], **ask.body)),
            },
            "tenants/{}/policy": {"PUT": lambda ask: self._set_policy(ask.names[0], ask.body)},
            "tenants/{}/users": {"POST": lambda ask: self._new_user(ask.names[0], ask.body)},
            "tenants/{}/groups": {"POST": lambda ask: self._new_group(ask.names[0], ask.body)},
            "users/{}": {
                "PATCH": lambda ask: self._change_user(ask.names[0], ask.body),
                "DELETE": lambda ask: admin.delete_user(ask.names[0]),
            },
            "users/{}/revoke": {"POST": lambda ask: admin.revoke_sessions(ask.names[0])},
            "tenants/{}/vaults": {"POST": lambda ask: self._new_vault(ask.names[0], ask.body)},
            "vaults/{}/access/{}": {
                "PUT": lambda ask: admin.set_vault_access(*ask.names, *texts(ask.body, "permissions"))
            },
            "tenants/{}/subscriptions": {"POST": lambda ask: self._new_subscription(ask.names[0], ask.body)},
            "devices": {"POST": lambda ask: self._approve_device(ask.body)},
            "authorize": {"POST": lambda ask: self._authorize(ask.body)},
            "tenants/{}/applications": {"POST": lambda ask: self._new_application(ask.names[0], ask.body)},
            "applications/{}": {
                "GET": lambda ask: self._application(ask.names[0]),
                "PATCH": lambda ask: self._disable(ask.names[0], ask.body),
            },
            "applications/{}/redirect-uris": {"PUT": lambda ask: self._set_redirects(ask.names[0], ask.body)},
            "applications/{}/consent": {
                "POST": lambda ask: self._consent(ask.names[0], ask.body),
                "DELETE": lambda ask: admin.withdraw_consent(ask.names[0]),
            },
            "applications/{}/secrets": {"POST": lambda ask: self._add_secret(ask.names[0], ask.body)},
            "applications/{}/secrets/{}": {"DELETE": lambda ask: admin.remove_secret(*ask.names)},
            "applications/{}/certificates": {"POST": lambda ask: self._add_certificate(ask.names[0], ask.body)},
            "objects/{}/security-attributes": {
                "PUT": lambda ask: admin.set_security_attributes(ask.names[0], **attributes(ask.body))
            },
            "principals/{}/grants": {"PUT": lambda ask: self._grants(ask.names[0], ask.body)},
        }

    def _import(self, body: Body) -> None:
        put(self._world, body)

    def _time(self) -> Body:
        now = self._world.clock.now()
        return {"now": now, "text": graph_time(now)}

    def _advance(self, body: Body) -> Body:
        only(body, "advance")
        seconds = body.get("advance")
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            raise Misfit("advance is a number of seconds")
        clock = self._world.clock
        if not isinstance(clock, _Movable):
            raise Misfit("this emulator's clock cannot be moved")
        clock.advance(seconds)
        return self._time()

    def _add_fault(self, body: Body) -> Body:
        fault = read_fault(body)
        self._world.faults.add(fault)
        return fault_as_json(fault)

    def _ledger(self, query: Mapping[str, str]) -> Body:
        conditions: dict[str, Any] = {}
        for name, value in query.items():
            if name not in {*_ENTRY_FIELDS, "since", "limit"}:
                raise Misfit(f"entries have no field {name}")
            number = name in {"since", "limit"} or _ENTRY_FIELDS[name] == "int"
            conditions[name] = (
                int(value) if number else (value == "true" if _ENTRY_FIELDS.get(name) == "bool" else value)
            )
        ledger = self._world.ledger
        return {"entries": [item.as_dict() for item in ledger.query(**conditions)], "dropped": ledger.dropped}

    def _trust(self, body: Body) -> None:
        only(body, "issuer", "key_id", "public_key_pem")
        self._admin.trust_issuer(text(body, "issuer"), text(body, "key_id"), text(body, "public_key_pem").encode())

    def _new_identity(self, tenant: str, body: Body) -> Body:
        only(body, "name", "system")
        identity = self._admin.create_managed_identity(tenant, text(body, "name"), system=flag(body, "system"))
        return asdict(identity)

    def _tenants(self) -> list[Body]:
        return [
            {
                "id": tenant.id,
                "name": tenant.name,
                "domains": tenant.domains,
                "applications": [self._application(name) for name in tenant.applications],
                "users": [
                    {
                        "object_id": user.object_id,
                        "display_name": user.display_name,
                        "principal_name": user.principal_name,
                        "roles": user.roles,
                        "enabled": user.enabled,
                    }
                    for user in tenant.users.values()
                ],
            }
            for tenant in self._world.directory.tenants.values()
        ]

    def _new_tenant(self, body: Body) -> Body:
        only(body, "name", "domain", "tenant_id", "settings")
        settings = changed(Settings(), body.get("settings", {}))
        domain, tenant_id = text_or_none(body, "domain"), text_or_none(body, "tenant_id")
        return {"id": self._admin.create_tenant(text(body, "name"), domain, tenant_id=tenant_id, settings=settings)}

    def _set_policy(self, tenant: str, body: Body) -> None:
        rules = {name: value for name, value in body.items() if name in {"passwordCredentials", "keyCredentials"}}
        if set(body) - set(rules) - {"enabled"}:
            raise Misfit("a policy has enabled, passwordCredentials and keyCredentials")
        self._admin.set_policy(tenant, enabled=flag({"enabled": True} | body, "enabled"), **rules)

    def _new_application(self, tenant: str, body: Body) -> Body:
        only(body, *_NEW_APPLICATION)
        count, version = body.get("secrets", 1), body.get("token_version")
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= 1000:
            raise Misfit("secrets is a whole number from 0 to 1000")
        if version is not None and (isinstance(version, bool) or version not in (1, 2)):
            raise Misfit("token_version is null, 1 or 2")
        application = self._admin.create_application(
            tenant,
            text(body, "name"),
            permissions=texts(body, "permissions"),
            owners=texts(body, "owners"),
            owns_itself=flag(body, "owns_itself"),
            audience=text_or_none(body, "audience") or "AzureADMyOrg",
            secrets=count,
            app_id=text_or_none(body, "app_id"),
            object_id=text_or_none(body, "object_id"),
            identifier_uris=texts(body, "identifier_uris"),
            token_version=version,
            redirect_uris=texts(body, "redirect_uris"),
            scopes=texts(body, "scopes"),
            roles=texts(body, "roles"),
            blueprint=flag(body, "blueprint"),
        )
        return asdict(application)

    def _application(self, name: str) -> Body:
        application: Application = self._admin.application(name)
        return {
            "tenant_id": application.tenant_id,
            "object_id": application.object_id,
            "app_id": application.app_id,
            "display_name": application.display_name,
            "audience": application.audience,
            "owners": application.owners,
            "disabled": application.disabled,
            "redirect_uris": {platform: application.redirect_uris(platform) for platform in PLATFORMS},
            "secrets": [asdict(item) for item in self._admin.secrets(name)],
            "certificates": [item.key_id for item in application.keys_held()],
        }

    def _new_user(self, tenant: str, body: Body) -> Body:
        only(body, "name", "roles")
        return {"object_id": self._admin.create_user(tenant, text(body, "name"), roles=texts(body, "roles"))}

    def _new_group(self, tenant: str, body: Body) -> Body:
        only(body, "name", "members")
        return {"object_id": self._admin.create_group(tenant, text(body, "name"), members=texts(body, "members"))}

    def _new_subscription(self, tenant: str, body: Body) -> Body:
        only(body, "name", "owners")
        owners = texts(body, "owners")
        return {"subscription_id": self._admin.create_subscription(tenant, text(body, "name"), owners=owners)}

    def _new_vault(self, tenant: str, body: Body) -> Body:
        only(body, "name", "purge_protected")
        protected = flag(body, "purge_protected")
        return {"name": self._admin.create_vault(tenant, text(body, "name"), purge_protected=protected)}

    def _change_user(self, name: str, body: Body) -> None:
        only(body, "roles", "enabled")
        roles = texts(body, "roles") if "roles" in body else None
        enabled = flag(body, "enabled") if "enabled" in body else None
        self._admin.set_user(name, roles=roles, enabled=enabled)

    def _authorize(self, body: Body) -> Body:
        only(body, "url", "user", "decline", "cancel", "everyone")
        choices = {name: flag(body, name) for name in ("decline", "cancel", "everyone")}
        try:
            return {"callback": self._admin.authorize(text(body, "url"), user=text(body, "user"), **choices)}
        except SignInStopped as stop:
            raise Misfit(f"the sign-in stopped with {stop.status}: {stop}") from stop

    def _approve_device(self, body: Body) -> None:
        only(body, "user_code", "user", "decline")
        try:
            self._admin.approve_device(text(body, "user_code"), user=text(body, "user"), decline=flag(body, "decline"))
        except SignInStopped as stop:
            raise Misfit(f"the sign-in stopped with {stop.status}: {stop}") from stop

    def _set_redirects(self, name: str, body: Body) -> Body:
        only(body, "platform", "redirect_uris")
        platform = text_or_none(body, "platform") or "web"
        self._admin.set_redirect_uris(name, *texts(body, "redirect_uris"), platform=platform)
        return self._application(name)

    def _consent(self, name: str, body: Body) -> None:
        only(body, "scopes", "user", "tenant")
        user, tenant = text_or_none(body, "user"), text_or_none(body, "tenant")
        self._admin.consent(name, *texts(body, "scopes"), user=user, tenant=tenant)

    def _disable(self, name: str, body: Body) -> Body:
        only(body, "disabled")
        self._admin.set_disabled(name, disabled=flag(body, "disabled"))
        return self._application(name)

    def _add_secret(self, name: str, body: Body) -> Body:
        only(body, "display_name", "start", "end", "value", "replicated", "hint", "custom_key_identifier")
        secret = self._admin.add_secret(
            name,
            text_or_none(body, "display_name"),
            start=moment(body, "start"),
            end=moment(body, "end"),
            value=text_or_none(body, "value"),
            replicated=flag(body, "replicated"),
            hinted=shown(body, "hint"),
            custom_key_identifier=text_or_none(body, "custom_key_identifier"),
        )
        return asdict(secret)

    def _add_certificate(self, name: str, body: Body) -> Body:
        only(body, "certificate", "start", "end", "thumbprint", "custom_key_identifier")
        pem = text(body, "certificate").encode()
        key_id = self._admin.add_certificate(
            name,
            pem,
            start=moment(body, "start"),
            end=moment(body, "end"),
            thumbprinted=shown(body, "thumbprint"),
            custom_key_identifier=text_or_none(body, "custom_key_identifier"),
        )
        return {"key_id": key_id}

    def _grants(self, name: str, body: Body) -> None:
        only(body, "add", "remove")
        self._admin.grant(name, *texts(body, "add"))
        self._admin.withdraw(name, *texts(body, "remove"))


def _answer(status: int, value: Any) -> Response:
    return Response(status, _JSON, json_body({} if value is None else value))
