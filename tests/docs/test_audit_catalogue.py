"""The catalogue of audit events: the one place that names them, and nothing in it that nobody records."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from keyturn.audit import identity_events
from keyturn.audit.events import CATALOGUE
from keyturn.authz.domain import Action
from keyturn.identities.domain import UniversalAuthChanges

SOURCE = Path(__file__).parents[2] / "src"
HOME = {
    SOURCE / "keyturn" / "audit" / name
    for name in (
        "events.py",
        "identity_events.py",
        "people_events.py",
        "sso_events.py",
        "project_events.py",
        "secret_rotation_events.py",
        "alarm_events.py",
        "approval_events.py",
        "backup_events.py",
        "conversion_events.py",
        "webhook_events.py",
        "inventory_events.py",
        "server_events.py",
        "chain_events.py",
    )
}
MIGRATIONS = SOURCE / "keyturn" / "db" / "migrations"


def modules() -> Iterator[tuple[Path, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if path not in HOME and MIGRATIONS not in path.parents:
            yield path, path.read_text()


def test_no_two_events_have_the_same_name() -> None:
    names = [event.name for event in CATALOGUE.values()]
    assert len(names) == len(set(names)) > 0


def test_events_are_named_in_the_catalogue_only() -> None:
    names = {event.name for event in CATALOGUE.values()} - {action.value for action in Action}
    literal = re.compile(rf"[\"'](?:{'|'.join(sorted(names))})[\"':]")
    assert literal.search('"rotation-enabled"')
    assert [(path.name, name) for path, text in modules() for name in literal.findall(text)] == []


def test_every_event_is_recorded_by_somebody() -> None:
    product = "\n".join(text for path, text in modules() if SOURCE / "keyturn" in path.parents)
    recorded = set(re.findall(r"\b(?:\w+_)?events\.([A-Z_]+)\b(?!\.name)", product))
    assert set(CATALOGUE) - recorded == set()
    assert recorded - set(CATALOGUE) == set()


def test_every_setting_of_a_machine_s_sign_in_is_a_field_of_its_events() -> None:
    changes = {field.name for field in fields(UniversalAuthChanges)}
    assert (
        changes
        == set(identity_events.UNIVERSAL_AUTH_ADDED.fields)
        == set(identity_events.UNIVERSAL_AUTH_UPDATED.fields)
    )
