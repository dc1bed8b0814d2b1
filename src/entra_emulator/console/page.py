"""The HTML of the page. Everything in it that a client may have named goes through `_text`, which escapes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from itertools import islice
from urllib.parse import urlencode

from entra_emulator.admin.changes import read_fault
from entra_emulator.console.forms import BEHAVIOURS, EFFECTS, SWITCHES
from entra_emulator.console.parts import read_part
from entra_emulator.core.clock import DAY, graph_time
from entra_emulator.directory.directory import Application, PasswordCredential, Tenant
from entra_emulator.directory.replicas import Plane, Presence
from entra_emulator.directory.world import World
from entra_emulator.faults.faults import Fault, Settings
from entra_emulator.faults.ledger import Entry

STYLE, SCRIPT = read_part("style.css"), read_part("live.js")
_APPLICATIONS, _SECRETS, _ENTRIES, _LOOKED_AT, _TENANTS = 40, 25, 60, 5_000, 50  # what one page shows at most
_LEAST_HINTED = 16  # a shorter value, which only a tester chooses, has no part that may be shown
_UNITS = ((DAY, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))
_SHOWN = {"": "All", "refused": "Refused", "writes": "Writes"}


@dataclass(frozen=True, slots=True)
class View:
    """What of everything is looked at: a tenant by its id, applications by a part of their name or ids, requests by kind."""

    tenant: str = ""
    q: str = ""
    show: str = ""

    def url(self, **changes: str) -> str:
        """The address of this view with some changes, from the page itself."""
        return "?" + urlencode({name: text for name, text in (asdict(self) | changes).items() if text})


def render(world: World, view: View, error: str = "", typed: Mapping[str, str] | None = None) -> str:
    """The page. `typed` is the form that was refused, whose fields keep what stood in them; values of secrets do not."""
    tenants = world.directory.tenants
    tenant = tenants.get(view.tenant) or next(iter(tenants.values()), None)
    page = _Page(world, view, tenant, typed or {})
    alert = (
        f'<section class="alert wide" role="alert"><h2>Not done</h2><p>{_text(error, 500)}</p></section>'
        if error
        else ""
    )
    title = f"{tenant.name[:80]} · Entra emulator" if tenant else "Entra emulator"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body>"
        f'<div class="bar" role="banner"><h1>Entra emulator</h1>{page.tenants()}'
        f'<time id="now" data-live>{graph_time(int(world.clock.now()))}</time></div><main>{alert}'
        f'<section>{page.ledger()}</section><div class="side">{page.clock()}{page.faults()}{page.behaviour()}{page.tools()}</div>'
        f'<section class="plain">{page.applications()}</section>'
        f"</main><script>{SCRIPT}</script></body></html>\n"
    )


@dataclass(frozen=True, slots=True)
class _Page:
    world: World
    view: View
    tenant: Tenant | None
    typed: Mapping[str, str]

    # --- the parts ---

    def tenants(self) -> str:
        every = self.world.directory.tenants.values()
        links = [
            f'<a href="{_text(View(tenant=each.id).url())}"{" aria-current=page" if each is self.tenant else ""}>'
            f"<bdi>{_text(each.name)}</bdi></a>"
            for each in islice(every, _TENANTS)
        ]
        return f'<nav aria-label="Tenants" id="tenants" data-live>{"".join(links)}</nav>'

    def applications(self) -> str:
        if self.tenant is None:
            button = self._form("demo", '<button class="main">Make the demo tenant</button>')
            return f"<h2>No tenant yet</h2><p>Begin with one of your own, or with the demo tenant.</p>{button}"
        found = [item for item in self.tenant.applications.values() if _matches(item, self.view.q)]
        cards = "".join(self._application(item) for item in found[:_APPLICATIONS]) or "<p>No application.</p>"
        more = len(found) - _APPLICATIONS
        if more > 0:
            cards += f"<p>{more} more: search for their name or id.</p>"
        return (
            f"<h2>Applications</h2><p class=soft><bdi>{_text(self.tenant.name)}</bdi>, tenant <code>{self.tenant.id}</code></p>"
            f'<form class="row" role="search"><input type="hidden" name="tenant" value="{self.tenant.id}">'
            f'<label>Name or id <input type="search" name="q" value="{_text(self.view.q)}"></label>'
            f'<button>Search</button></form>{self._new_application()}<div id="applications" data-live>{cards}</div>'
        )

    def clock(self) -> str:
        steps = (("60", "+1 minute"), ("3600", "+1 hour"), ("86400", "+1 day"), ("2592000", "+30 days"))
        buttons = "".join(f'<button name="seconds" value="{seconds}">{label}</button>' for seconds, label in steps)
        own = (
            f"{self._field('clock', 'Seconds', 'seconds', 'type=number min=0 step=any required')}<button>Move</button>"
        )
        return (
            f"<section><h2>Clock</h2>{self._form('clock', buttons, 'buttons')}"
            f"{self._details('By another time', 'clock', own, 'row')}</section>"
        )

    def faults(self) -> str:
        pending = self.world.faults.pending()
        switches = ""
        switchable = {name: read_fault(body) for name, body in SWITCHES.items()}
        for name, fault in switchable.items():
            on = fault in pending
            do, fields = ("remove-fault", {"id": fault.id}) if on else ("switch", {"switch": name})
            inner = f'<button id="{name.replace(" ", "-")}" aria-pressed="{"true" if on else "false"}">{_text(name)}</button>'
            switches += self._form(do, inner, hidden=fields)
        others = [fault for fault in pending if fault not in switchable.values()]
        lines = "".join(
            f"<li><span>{_fault(fault)}</span>"
            f"{self._form('remove-fault', '<button class=quiet>Remove</button>', hidden={'id': fault.id})}</li>"
            for fault in others[:_ENTRIES]
        )
        times = self._field("fault", "How often", "times", "type=number min=1 required", "1")
        inner = (
            self._field("fault", "Operation, writes or *", "operation", "required", "addPassword")
            + self._choice("fault", "What happens", "effect", {name: name for name in EFFECTS})
            + self._choice(
                "fault", "When", "when", {"after": "after the work is done", "before": "instead of the work"}
            )
            + f"{times}<button>Add</button>"
        )
        return (
            f'<section><h2>Faults</h2><div id="faults" data-live><div class="switches">{switches}</div><ul>{lines}</ul></div>'
            f"{self._details('Fault of the next calls', 'fault', inner, 'stack')}</section>"
        )

    def behaviour(self) -> str:
        if self.tenant is None:
            return ""
        settings, home = self.tenant.settings, {"tenant": self.tenant.id}
        buttons = ""
        for name, changes in BEHAVIOURS.items():
            on = all(getattr(settings, key) == value for key, value in changes.items())
            pressed = "true" if on else "false"
            buttons += f'<button name="behaviour" value="{name}" aria-pressed="{pressed}">{name}</button>'
        names = {key: f"{key} = {json.dumps(value)}" for key, value in asdict(settings).items()}
        inner = (
            self._choice("setting", "Setting", "name", names)
            + self._field("setting", "New value, as JSON", "value", "required autocomplete=off")
            + "<button>Change</button>"
        )
        return (
            f"<section><h2>Replicas</h2>{self._form('behaviour', buttons, 'switches', home)}"
            f"{self._details('Every setting', 'setting', inner, 'stack', home)}</section>"
        )

    def tools(self) -> str:
        own = self._field("tenant", "Name", "name", "required maxlength=200") + "<button>Make a tenant</button>"
        return f"<section><h2>Another tenant</h2>{self._form('tenant', own, 'row')}</section>"

    def ledger(self) -> str:
        names = {
            app.app_id: app.display_name
            for home in self.world.directory.tenants.values()
            for app in home.applications.values()
        }
        ledger = self.world.ledger
        newest = reversed(ledger.after(ledger.last - _LOOKED_AT))
        entries = list(islice((entry for entry in newest if _wanted(entry, self.view.show)), _ENTRIES))
        rows = "".join(_row(entry, names) for entry in entries) or "<tr><td colspan=6>No request yet.</td></tr>"
        chips = "".join(
            f'<a href="{_text(self.view.url(show=key))}#ledger"'
            f"{' aria-current=true' if key == self.view.show else ''}>{label}</a>"
            for key, label in _SHOWN.items()
        )
        heads = "".join(f"<th scope=col>{name}</th>" for name in ("Time", "Operation", "By", "Answer", "Key", "From"))
        return (
            f'<h2 id="ledger">Requests</h2><nav aria-label="Which requests">{chips}</nav>'
            '<div class="scroll short" tabindex="0" role="region" aria-labelledby="ledger"><table>'
            f'<thead><tr>{heads}</tr></thead><tbody id="entries" data-live>{rows}</tbody></table></div>'
        )

    # --- one application ---

    def _application(self, item: Application) -> str:
        home, key = self.world.directory.tenants[item.tenant_id], {"application": item.object_id}
        now = self.world.clock.now()
        shown = [secret for secret in item.passwords if not secret.presence.gone(now)]
        rows = "".join(self._secret(item, home, secret) for secret in reversed(shown[-_SECRETS:]))
        heads = "".join(
            f"<th scope=col>{name}</th>" for name in ("Secret", "Ends", "Token endpoint", "Graph", "Change")
        )
        table = (
            '<div class="scroll" tabindex="0" role="group" aria-label="Secrets"><table>'
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
            if rows
            else "<p class=soft>No secret.</p>"
        )
        if len(shown) > _SECRETS:
            table += f"<p>{len(shown) - _SECRETS} older ones are not shown.</p>"
        label, value = ("Enable", "no") if item.disabled else ("Disable", "yes")
        button = f'<button class="quiet" id="disable-{item.object_id}">{label}</button>'
        state = ' <span class="pill bad">disabled</span>' if item.disabled else ""
        numbers = (
            (len(item.keys_held()), "certificate"),
            (len(item.federated), "federated credential"),
            (len(item.owners), "owner"),
        )
        counts = "".join(f" · {_count(number, name)}" for number, name in numbers if number)
        fields = (
            self._field("secret", "Name", "display_name", "maxlength=200", "", item.object_id)
            + self._field("secret", "Days", "days", "type=number min=0.001 step=any required", "180", item.object_id)
            + '<label>Value, or empty for a random one <input name="value" autocomplete="off"></label>'
            + "<button>Add</button><p class=soft>Values are not shown here: "
            f"<code>GET /_emulator/applications/{item.object_id}</code> gives them.</p>"
        )
        return (
            f'<article class="app" id="app-{item.object_id}" data-live><header>'
            f"<h3><bdi>{_text(item.display_name)}</bdi></h3>{state}"
            f"{self._form('disable', button, hidden=key | {'disabled': value})}</header>"
            f"<p class=soft>client id <code>{item.app_id}</code> · object id <code>{item.object_id}</code>{counts}</p>{table}"
            f"{self._details('Add a secret', 'secret', fields, 'row', key, item.object_id)}</article>"
        )

    def _secret(self, item: Application, home: Tenant, secret: PasswordCredential) -> str:
        now = self.world.clock.now()
        ended = secret.end <= now + home.settings.clock_skew
        hint = f"{_text(secret.value[:3])}…" if len(secret.value) >= _LEAST_HINTED else "…"
        button = ""
        if not secret.presence.removed:
            label = _text(f"Remove {secret.display_name or secret.key_id}")
            inner = f'<button class="quiet" id="remove-{secret.key_id}" aria-label="{label}">Remove</button>'
            button = self._form("remove-secret", inner, hidden={"application": item.object_id, "key_id": secret.key_id})
        planes: tuple[tuple[Plane, str], ...] = (("token", "Token endpoint"), ("graph", "Graph"))
        knows = "".join(
            f'<td data-of="{name}">{_replicas(secret.presence, plane, home.settings, now)}</td>'
            for plane, name in planes
        )
        return (
            f"<tr><td><bdi>{_text(secret.display_name or 'no name')}</bdi> <code>{hint}</code><br>"
            f"<small><code>{secret.key_id}</code></small></td>"
            f'<td class="fixed{" bad" if ended else ""}" data-of="Ends" title="{graph_time(secret.end)}">'
            f"{_distance(secret.end - now)}</td>"
            f"{knows}<td>{button}</td></tr>"
        )

    def _new_application(self) -> str:
        home = {"tenant": self.tenant.id if self.tenant else ""}
        inner = (
            self._field("application", "Name", "name", "required maxlength=200")
            + self._field("application", "Graph permissions", "permissions", "", "Application.ReadWrite.OwnedBy")
            + '<label class="tick"><input type="checkbox" name="owns_itself" checked> owns itself</label><button>Make</button>'
        )
        return self._details("Another application", "application", inner, "row", home)

    # --- forms ---

    def _form(self, do: str, inner: str, style: str = "", hidden: Mapping[str, str] | None = None) -> str:
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{_text(value, 1000)}">'
            for name, value in ({"do": do} | dict(hidden or {})).items()
        )
        return f'<form method="post" action="{_text(self.view.url(), 1000)}" class="{style}">{fields}{inner}</form>'

    def _details(
        self, summary: str, do: str, inner: str, style: str, hidden: Mapping[str, str] | None = None, of: str = ""
    ) -> str:
        """A form to open; open already where it was just refused."""
        opened = "" if self._before(do, "do", of) is None else " open"
        return f"<details{opened}><summary>{summary}</summary>{self._form(do, inner, style, hidden)}</details>"

    def _before(self, do: str, name: str, of: str = "") -> str | None:
        refused = self.typed.get("do") == do and (not of or self.typed.get("application") == of)
        return self.typed.get(name) if refused else None

    def _field(self, do: str, label: str, name: str, rules: str = "", value: str = "", of: str = "") -> str:
        before = self._before(do, name, of)
        shown = value if before is None else before
        return f'<label>{label} <input name="{name}" value="{_text(shown, 1000)}" {rules}></label>'

    def _choice(self, do: str, label: str, name: str, choices: Mapping[str, str]) -> str:
        before = self._before(do, name)
        options = "".join(
            f'<option value="{_text(key)}"{" selected" if key == before else ""}>{_text(text)}</option>'
            for key, text in choices.items()
        )
        return f'<label>{label} <select name="{name}">{options}</select></label>'


def _text(value: str, most: int = 160) -> str:
    """Text from anywhere as HTML, also within a quoted attribute."""
    return escape(value if len(value) <= most else f"{value[: most - 1]}…")


def _matches(item: Application, q: str) -> bool:
    wanted = q.strip().casefold()
    return not wanted or any(wanted in text.casefold() for text in (item.display_name, item.app_id, item.object_id))


def _distance(seconds: float) -> str:
    """How far away a moment is: `in 3 days`, `2 hours ago`."""
    size, unit = next((pair for pair in _UNITS if abs(seconds) >= pair[0]), _UNITS[-1])
    words = _count(int(abs(seconds) / size), unit)
    return f"in {words}" if seconds > 0 else f"{words} ago"


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _replicas(presence: Presence, plane: Plane, settings: Settings, now: float) -> str:
    """What each replica knows of a secret: in words where all agree, else one word for each."""
    known = [presence.visible(plane, number, now) for number in range(min(settings.replicas, 12))]
    begins = presence.token_from if plane == "token" else presence.graph_from
    ends = presence.token_until if plane == "token" else presence.graph_until
    if ends is not None:
        until = f", for {_distance(max(ends) - now).removeprefix('in ')} more" if max(ends) > now else ""
        words = f'<span class="late">removed, known to {sum(known)} of {len(known)}{until}</span>'
        return words if any(known) else '<span class="gone">removed</span>'
    if all(known):
        return f'<span class="known">● known{"" if len(known) == 1 else f" to all {len(known)}"}</span>'
    marks = "".join("●" if each else "○" for each in known)
    words = f"{sum(known)} of {len(known)}, all {_distance(max(begins) - now)}"
    return f'<span class="late"><span aria-hidden="true">{marks}</span> {words}</span>'


def _fault(fault: Fault) -> str:
    effects = ", ".join(
        " ".join(
            part for part in (str(each.status or ""), each.wire.kind if each.wire.kind != "normal" else "") if part
        )
        for each in fault.effects
    )
    often = "until removed" if fault.times is None else f"{fault.times} times"
    return f"<code>{_text(fault.operation)}</code> {_text(effects)} {fault.when} the work, {often}"


def _wanted(entry: Entry, show: str) -> bool:
    if show == "refused":
        return entry.status >= 400 or entry.wire != "normal"
    return entry.committed if show == "writes" else True


def _row(entry: Entry, names: Mapping[str, str]) -> str:
    good = 200 <= entry.status < 400 and entry.wire == "normal"
    answer = f"{entry.status}{'' if entry.wire == 'normal' else f' {entry.wire}'}"
    by = f"<bdi>{_text(names[entry.caller])}</bdi>" if entry.caller in names else f"<code>{_text(entry.caller)}</code>"
    change = "<br><small>changed something</small>" if entry.committed else ""
    return (
        f'<tr><td class="fixed">{graph_time(int(entry.at))[11:19]}</td><td>{_text(entry.operation)}{change}</td><td>{by}</td>'
        f'<td><span class="pill {"known" if good else "bad"}">{_text(answer)}</span> {_text(entry.error)}</td>'
        f"<td><code>{_text((entry.key_id or entry.auth_key_id)[:8])}</code></td><td>{_text(entry.user_agent, 60)}</td></tr>"
    )
