"""The reference pages as Markdown, and the OpenAPI document. Same source, same text."""

import importlib
import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import sources
import typer

from keyturn.audit.events import CATALOGUE
from keyturn.authz.domain import (
    ORGANIZATION_ACTIONS,
    ORGANIZATION_ROLES,
    PROJECT_ACTIONS,
    PROJECT_ROLES,
    Action,
    permits,
)
from keyturn.authz.vocabulary import SUBJECTS, WITHOUT_EFFECT
from keyturn.telemetry.catalogue import CATALOGUE as CATALOGUE_OF_METRICS
from keyturn.telemetry.catalogue import Metric

NOTE = "<!-- Made by `make docs` from the source. Changes belong there. -->\n\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def settings() -> str:
    from keyturn.cli.docs import settings_page  # noqa: PLC0415

    title, rest = settings_page().split("\n\n", 1)
    return f"{title}\n\n{NOTE}{rest}"


# --- the chart --------------------------------------------------------------------------------------------------------

CHART_SCHEMA = Path(__file__).parents[2] / "deploy" / "helm" / "keyturn" / "values.schema.json"


def chart_schema() -> str:
    """Return the schema of the chart's values with today's names of secret settings; the rest of it stays as it is."""
    from keyturn.settings.table import SETTINGS  # noqa: PLC0415

    secret = sorted(setting.name for setting in SETTINGS if setting.secret)
    schema = json.loads(CHART_SCHEMA.read_text(encoding="utf-8"))
    refused = schema["properties"]["settings"]["propertyNames"]["not"]["anyOf"]
    refused[0]["enum"], refused[2]["enum"] = secret, [f"{name}_FILE" for name in secret]
    own_place = {"DB_CONNECTION_URI", "ENCRYPTION_KEY"}
    schema["properties"]["secretSettings"]["propertyNames"]["enum"] = [x for x in secret if x not in own_place]
    return json.dumps(schema, indent=1) + "\n"


# --- errors -----------------------------------------------------------------------------------------------------------

_ERRORS = """# Errors

{note}Every refusal of the API has the same shape:

```json
{{"reqId": "req-...", "statusCode": 400, "message": "...", "error": "BadRequest", "code": "connections.name_taken", "fix": "..."}}
```

`code` is stable: programs may depend on it. `message` and `fix` are for people and may become better. `reqId` is in the
server's log. A request with the wrong shape is answered 422, and `message` is then a list of faults, each with `path`.
The command line prints message and fix on standard error and ends with status 1, or 2 for a fault of the configuration.

Codes that begin with `azure.` say what Microsoft answered, or what was found in the form before anything was sent. Their kind
says what Keyturn does next: *retryable* and *not yet* are tried again by themselves; *needs action* waits for a person, and is
tried again now and then; *permanent* would fail again as it is.

Parts in angle brackets are filled in. Where a cell is empty, the answer itself says it.

"""


def errors() -> str:
    """Return every stable error code with kind, message and fix."""
    text = _ERRORS.format(note=NOTE)
    for room, found in sources.by_room(sources.codes()).items():
        rows = [(f"`{one.code}`", one.kind, _plain(one.message), _plain(one.fix)) for one in found]
        text += f"## {room}\n\n" + table(("code", "answered as", "message", "what to do"), rows) + "\n"
    return text.rstrip("\n") + "\n"


def _plain(text: str) -> str:
    """Keep the angle brackets of the holes from being taken for HTML, outside of quoted commands. Braces stand for themselves."""
    parts = " ".join(text.replace("{{", "{").replace("}}", "}").split()).split("`")
    for index in range(0, len(parts), 2):
        parts[index] = parts[index].replace("<", "&lt;").replace(">", "&gt;")
    return "`".join(parts)


# --- audit events -----------------------------------------------------------------------------------------------------

_EVENTS = """# Audit events

{note}Each change and each step of a rotation that matters leaves one event: who, what, when, from which request. Events are
read at `GET /api/v1/organization/audit-logs`; the database refuses to change or delete one. An event is written in the same
transaction as the change that it tells of, so there is neither one without the other. No event holds a secret: keys are named
by Key ID, display name and hint.

"""


def audit_events() -> str:
    """Return every audit event of the catalogue with its meaning."""
    topics: dict[str, list[tuple[str, str, str]]] = {}
    recorded_in = sources.recorded_in()
    for constant, event in CATALOGUE.items():
        places = ", ".join(f"`{place}`" for place in recorded_in[constant])
        topics.setdefault(event.topic, []).append((f"`{event.name}`", event.meaning, places))
    text = _EVENTS.format(note=NOTE)
    for topic, rows in topics.items():
        text += f"## {topic}\n\n" + table(("event", "what happened", "written in"), rows) + "\n"
    return text.rstrip("\n") + "\n"


# --- permissions ------------------------------------------------------------------------------------------------------

_PERMISSIONS = """# Roles and permissions

{note}A person or a machine has one role in the organization, and in each project that they are a member of one or several.
Connections, secrets, environments and members of a project are governed by the roles there; an *admin* of the organization is
admin of all its projects. What belongs to no project is governed by the role in the organization; the holder of *no-access*
may there what the roles in projects grant, and nothing else. A missing permission is answered 403 and named; what is in
another organization is answered as if it did not exist.

Several roles **add up**: what any of them permits is permitted. A role is given for good or **for a time** (`isTemporary`,
`temporaryRange` such as `1h` or `7d`, `temporaryAccessStartTime`): each request is judged by the clock of its arrival. Nobody
makes, gives, changes or takes away a role that permits what they may not do themselves, or gives one for longer than they
have it. Where it cannot be seen that a pattern is within another, it counts as wider.

"""
_OWN_ROLES = """## Roles of a project's own

Made on the page *Roles* of a project or over the API (`/api/v1/projects/{id}/roles`). A role has permissions: a subject,
actions, and conditions that say where.

```json
{"slug": "reads-the-app", "name": "Reads the app", "permissions": [
  {"subject": "secrets", "action": ["describeSecret", "readValue"],
   "conditions": {"environment": {"$in": ["dev", "staging"]}, "secretPath": {"$glob": "/app/**"}}},
  {"subject": "secrets", "action": "readValue", "inverted": true, "conditions": {"secretPath": {"$eq": "/app/private"}}}]}
```

- **Of the permissions of one role that fit, the last one decides**: one with `inverted` is an exception from those before it.
  It takes nothing from another role.
- Conditions are `environment` (the slug), `secretPath` and `connectionId`, each with `$eq`, `$ne`, `$in` or `$glob`; several
  have to hold together. What a subject does not take is refused, not ignored: a condition on `secretName` or `secretTags`,
  for instance.
- In a pattern `*` stands for a part of a name, `?` for one character, `**` for any number of folders: `/app/**` is `/app` and
  all below it.
- Whoever has any role but *no-access* sees the project and the names of its environments. Of folders and secrets elsewhere
  they learn nothing: lists, searches, imports, references and the audit trail show what is within their permissions, and an
  address beyond them is refused alike whether something is there or not. A reference to what the reader may not read stays as
  it is written.
- An environment is named by its slug: whoever may rename environments decides what such a condition is about. A folder is
  renamed only by those who may do in it now all that they might do at its new path.
- A role that somebody has is not deleted. An edit after which no member could manage roles and members is refused.

A permission of these subjects is kept and permits nothing, as nothing here asks for them (what of it is here, such as webhooks
and approvals, is governed by other permissions): {without}.

"""


def permissions() -> str:
    """Return which role permits what."""
    text = _PERMISSIONS.format(note=NOTE)
    for title, roles, actions in (
        ("In the organization", ORGANIZATION_ROLES, ORGANIZATION_ACTIONS),
        ("In a project", PROJECT_ROLES, PROJECT_ACTIONS),
    ):
        head = ("action", *(role.value for role in roles))
        rows = [
            (f"`{action.value}`", *("yes" if permits(roles, role, action) else "" for role in roles))
            for action in Action
            if action in actions
        ]
        text += f"## {title}\n\n" + table(head, rows) + "\n"
    without = ", ".join(f"`{subject}`" for subject in sorted(WITHOUT_EFFECT))
    text += _OWN_ROLES.replace("{without}", without)
    words = [
        (f"`{subject}`: `{word}`", ", ".join(sorted(actions)) or "what everybody with a role may, or nobody")
        for subject, of_subject in SUBJECTS.items()
        for word, actions in of_subject.items()
    ]
    text += table(("subject and action", "permits"), words)
    return text.rstrip("\n") + "\n"


# --- metrics ----------------------------------------------------------------------------------------------------------

_METRICS = """# Metrics

{note}Each process answers at `/metrics` for itself, see [monitor with Prometheus](../how-to/monitor-with-prometheus.md). No
metric holds a secret, an address of a caller or a path that somebody asked for; names that people typed are told by
`keyturn_subject_info` alone, and that only with `KEYTURN_METRICS_NAMES=true`. *Series* says how many there are at most in one
process. Of a histogram the table has the name without `_bucket`, `_sum` and `_count`.

Besides these there are the usual `process_*` (processor, memory, open files, start) and `python_gc_*`.

"""
_OF_PROCESS = """## What a process counts

Add them up over all processes: `sum(rate(...))`.

"""
_OF_DATABASE = """## What the database tells

The same in every process: take `max(...)`, not `sum(...)`. A process reads them when it is scraped, by two statements in one
transaction and at most once in ten seconds, however many scrape; when the database does not answer within two seconds they are
missing, and `keyturn_database_answers` is 0.

"""


def metrics() -> str:
    """Return every metric of the catalogue."""
    text = _METRICS.format(note=NOTE)
    for title, of_database in ((_OF_PROCESS, False), (_OF_DATABASE, True)):
        rows = [
            (
                f"`{metric.series[0].removesuffix('_bucket')}`",
                metric.kind,
                _labels(metric),
                _plain(metric.meaning),
                metric.bound,
            )
            for metric in CATALOGUE_OF_METRICS
            if metric.of_database is of_database
        ]
        text += title + table(("metric", "kind", "labels", "what it says", "series"), rows) + "\n"
    return text.rstrip("\n") + "\n"


def _labels(metric: Metric) -> str:
    return ", ".join(f"`{label}`" for label in metric.labels)


# --- the command line -------------------------------------------------------------------------------------------------

_CLI = """# Command line

{note}Results go to standard output, everything else to standard error. Exit status: 0 done, 1 failed, 2 wrongly configured or
called; of commands that ask a server also 69: it does not answer, 75: a copy may not be used any more, 77: it does not
permit it. `keyturn delete`, `leaked`, `release`, `secrets delete` and `admin disable` say before what goes with it, and ask;
without a terminal they need `--yes`, and end with 2 otherwise. With `--dry-run` they only say so: 0 when it could be done,
1 when it would be refused. Other commands do at once what they are told. Settings come from the environment: see
[settings](settings.md).

"""


def cli() -> str:
    """Return every command of both programs with its arguments and options."""
    from keyturn.cli.main import COMMANDS, app  # noqa: PLC0415

    root = typer.main.get_command(app)
    text = _CLI.format(note=NOTE) + f"## keyturn\n\n{root.help}\n\n{_options(root)}"
    for name in root.commands:  # type: ignore[attr-defined]
        command = typer.main.get_command(importlib.import_module(COMMANDS[name][0]).app)
        text += _command(f"keyturn {name}", command)
    emulator = typer.main.get_command(importlib.import_module("entra_emulator.server.cli").app)
    return (text + _command("entra-emulator", emulator)).rstrip("\n") + "\n"


def _command(title: str, command: Any) -> str:
    text = f"## {title}\n\n{' '.join((command.help or '').split())}\n\n"
    inner = getattr(command, "commands", None)
    if inner is None:
        return text + _options(command)
    return (
        text
        + _options(command)
        + "".join(_command(f"{title} {name}", one) for name, one in inner.items() if not one.hidden)
    )


def _options(command: Any) -> str:
    rows = [
        (_spelled(one), " ".join((one.help or "").split()), _default(one))
        for one in command.params
        if not getattr(one, "hidden", False) and one.name not in {"install_completion", "show_completion"}
    ]
    return table(("option", "meaning", "default"), rows) + "\n" if rows else ""


def _spelled(option: Any) -> str:
    if option.param_type_name == "argument":
        return f"`{option.name.upper()}`"
    names = " / ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} *{option.type_descriptor.annotation.__name__}*"


def _default(option: Any) -> str:
    if option.required:
        return "required"
    if option.param_type_name == "argument":
        return ""
    if option.is_flag and not option.secondary_opts:
        return ""
    return "" if option.default is None else f"`{str(option.default).lower() if option.is_flag else option.default}`"


# --- the HTTP API -----------------------------------------------------------------------------------------------------


def openapi() -> str:
    """Return the OpenAPI document of the application as the server builds it, with an empty database."""
    from keyturn.app.core import open_core  # noqa: PLC0415
    from keyturn.app.web import web_application  # noqa: PLC0415
    from keyturn.settings.reader import read_settings  # noqa: PLC0415
    from keyturn.web.server.app import openapi_document  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings({"KEYTURN_DATA_DIR": str(Path(folder) / "data")}, {})
        core = open_core(settings, lambda _sentence: None)
        try:
            document = openapi_document(web_application(core, None), settings)
        finally:
            core.close()
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


# --- the emulator -----------------------------------------------------------------------------------------------------


def emulator() -> str:
    """Return what of Graph's and Entra ID's documented behaviour the emulator has, refuses, and does not have."""
    service = importlib.import_module("entra_emulator.graph.service")
    documented = importlib.import_module("entra_emulator.graph.documented")
    routes = {version: service.routes(version) for version in ("v1.0", "beta")}
    known: set[tuple[str, str]] = set()
    text = _EMULATOR.format(note=NOTE)
    for resource, operations in documented.DOCUMENTED.items():
        rows = []
        for suffix, methods in operations.items():
            path = f"{resource}/{suffix}".rstrip("/")
            for method, what in (part.split(": ", 1) for part in methods.split("|")):
                known.add((documented.pattern(path), method))
                rows.append(
                    (
                        f"`{method} /{path.replace('{}', '{id}')}`",
                        what,
                        _modelled(routes, documented.pattern(path), method),
                    )
                )
        text += f"## {resource}\n\n" + table(("request", "documented", "here"), rows)
        refused = [(what, answer) for about, what, answer in documented.REFUSED if about == resource]
        text += "\nRefused aloud:\n\n" + table(("what", "answer"), refused) if refused else ""
        text += "\n"
    more = sorted(
        (f"`{method} /{path.replace('{}', '{id}')}`", f"`{name}`")
        for path, methods in routes["beta"].items()
        for method, name in methods.items()
        if (path, method) not in known
    )
    return text + "## More\n\n" + table(("request", "in the ledger"), more) + _token_endpoint()


def _modelled(routes: dict[str, dict[str, dict[str, str]]], path: str, method: str) -> str:
    name = routes["beta"].get(path, {}).get(method)
    if name is None:
        return "absent: refused with an OData error"
    return f"`{name}`" + ("" if method in routes["v1.0"].get(path, {}) else ", beta only")


def _token_endpoint() -> str:
    codes = importlib.import_module("entra_emulator.tokens.sts_codes").CODES
    rows = [
        (f"AADSTS{code}", row.error, str(row.status), row.source, row.assumed) for code, row in sorted(codes.items())
    ]
    return "\n## Codes of the token endpoint\n\n" + table(("code", "error", "status", "source", "assumed of it"), rows)


_EMULATOR = """# What the emulator has of Entra ID and Graph

{note}Each operation that Microsoft documents of the resources here, and its name in the ledger and in faults where the
emulator has it. What it does not have is refused, never answered with a made-up success: an unknown path is a 400, an
unknown method a 405. How true the rest is, and what is assumed: [the emulator's README](../../src/entra_emulator/README.md).

"""
