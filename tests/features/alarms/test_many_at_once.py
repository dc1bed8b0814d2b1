"""When the provider is away, all connections fail at once: they are counted, and those on the page alone are put into words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import product
from typing import Any

from keyturn.alarms.conditions import sign_in_store
from keyturn.alarms.conditions.domain import Condition, ConditionKind
from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.alarms.conditions.service import ALL_KINDS, Asked, Conditions
from keyturn.alarms.conditions.sign_in_rules import AWAY_AFTER, UNCHECKED_AFTER, SignInTrouble, trouble_of
from keyturn.alarms.conditions.sign_in_store import Part
from keyturn.authz.authorize import Visibility
from keyturn.connections import store as connections
from keyturn.db.unit import Database
from keyturn.kit.actor import Role
from keyturn_simulation.world import make_world
from tests.features.accounts.people import join, person
from tests.features.alarms.ailing import DAY, REFUSAL, Ailing
from tests.features.alarms.test_overview import counted

SECOND = timedelta(seconds=1)
SAID: Sequence[Mapping[str, Any] | None] = (
    None,
    {"ok": True},
    {"ok": False, "message": 'It said "ok": true, and "transient": true.'},
    {"ok": False, "message": "No answer.", "transient": True},
    {"ok": False, "message": "Sign in again.", "needsReconnect": True},
    {"ok": False, "message": "No answer.", "transient": True, "needsReconnect": True},
    {"ok": False, "message": "No answer.", "transient": False, "needsReconnect": False},
    {"message": "An older version said no more."},
)


def everything_at_once(database: Database, ailing: Ailing) -> None:
    """Add a connection for each way in which one can be, in a project and in none, a few of which end soon as well."""
    now = ailing.now
    moments = (None, now, now - UNCHECKED_AFTER + SECOND, now - UNCHECKED_AFTER - SECOND)
    reached = (None, now - AWAY_AFTER + SECOND, now - AWAY_AFTER - SECOND)
    homes: Sequence[Mapping[str, Any]] = ({}, {"project_id": None, "scope": ailing.org_id})
    with database.write() as tx:
        for number, (said, refused, checked, home) in enumerate(product(SAID, (None, now - DAY), moments, homes)):
            changes = {
                "check_result": said, "refused_at": refused, "refusal": REFUSAL if refused else None, "checked_at": checked,
                "unreached_since": reached[number // 2 % 3],
                "created_at": moments[number % 4] or now, "ends_at": now + 5 * DAY if number % 9 == 0 else None,
                "name": f"{'aZ-_.9'[number % 6].lower()}{number % 7}-{number}", **home,
            }  # fmt: skip
            ailing.connection(tx, **changes)


def test_statements_and_rules_say_the_same_of_each_connection(database: Database) -> None:
    now = make_world(database).clock.now()
    ailing = Ailing(database, now)
    everything_at_once(database, ailing)
    everything = Visibility(ailing.org_id, organization=True, projects=None)
    with database.read() as tx:
        all_of_them = connections.in_organization(tx, everything)
        by_rules = {each.id: trouble_of(each, now) for each in all_of_them}
        counts, tried, none = sign_in_store.count(tx, everything, now, Part())
        assert none == []
        for trouble in counts:
            part = Part(frozenset({trouble}), 0, len(by_rules))
            page = sign_in_store.page(tx, everything, now, part)
            assert sorted(sign_in_store.count(tx, everything, now, part)[2]) == sorted(page)
            assert sorted(page) == sorted(each for each, its in by_rules.items() if its is trouble), trouble
        assert sorted(sign_in_store.all_of(tx, ailing.org_id, now)) == sorted(
            each for each, its in by_rules.items() if its
        )
    assert counts == Counter(its for its in by_rules.values() if its)
    assert set(counts) == set(SignInTrouble)
    moments = [each.checked_at for each in all_of_them if each.checked_at]
    assert tried == sign_in_store.Tried(len(all_of_them), len(all_of_them) - len(moments), min(moments))


def test_each_page_is_a_part_of_the_whole_list(database: Database) -> None:
    world = make_world(database)
    ailing, now = Ailing(database, world.clock.now()), world.clock.now()
    everything_at_once(database, ailing)
    ailing.all_of_it()
    finder = ConditionFinder(world.services.providers)
    conditions = Conditions(database, world.clock, finder)
    admin = person(database, ailing.org_id, Role.ADMIN, "admin@acme.test")
    reader = person(database, ailing.org_id, Role.NO_ACCESS, "reader@acme.test")
    join(database, reader, ailing.project_id, Role.VIEWER)
    with database.read() as tx:
        whole = finder.of_organization(tx, ailing.org_id, now)
    assert len({one.key for one in whole}) == len(whole) > 130
    of_project = [one for one in whole if one.project == ailing.project_id]
    failing = {ConditionKind.CONNECTION_FAILED, ConditionKind.CONNECTION_UNCHECKED, ConditionKind.ROTATION_FAILED}

    def told(expected: list[Condition], who: Any, project_id: str | None) -> None:
        some = [one for one in expected if one.kind in failing]
        with conditions.of(who, project_id) as attention:
            assert attention.counts == Counter(one.severity for one in expected)
            assert attention.count() == len(expected)
            assert attention.count(failing) == len(some)
            for first, size in ((0, 0), (0, 10), (7, 30), (60, 50), (len(expected) - 5, 50), (0, 500)):
                assert attention.conditions(first, size) == expected[first : first + size], (first, size)
                assert attention.conditions(first, size, failing) == some[first : first + size], (first, size)
        for first, size, kinds, of in ((0, 10, failing, some), (60, 50, ALL_KINDS, expected)):
            with conditions.of(who, project_id, Asked(first, size, kinds)) as attention, counted(database) as texts:
                assert attention.conditions(first, size, kinds) == of[first : first + size], (first, size)
            assert not any("AS MATERIALIZED" in text for text in texts), "it was found together with the counts"

    told(whole, admin, None)
    told(of_project, admin, ailing.project_id)
    told(of_project, reader, ailing.project_id)
    told(of_project, reader, None)
