"""The check of ``keyturn doctor`` that compares the journal with Entra ID, when no server has for a while.

So it is said before a server starts that an older copy of the database was put back.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from keyturn.app import startup
from keyturn.app.continuity import GAP, last_sign_of_life
from keyturn.app.journal_check import journal_check
from keyturn.cli.context import CommandContext
from keyturn.cli.finding import CheckupFinding, ok
from keyturn.db import migrate
from keyturn.db.unit import Database
from keyturn.errors import KeyturnError
from keyturn.kit.counting import counted
from keyturn.ports.clock import Clock
from keyturn.rotations.comparison import Comparison, JournalCheck
from keyturn.rotations.domain import RotationKind
from keyturn.rotations.store import due
from keyturn.settings.model import Settings

_SUBJECT = "journal"
_AT_ONCE = 8
_NAMED = 10
_WHY = "Somebody removed them, or an older copy of this database was put back."
Opener = Callable[[Settings, Database, Clock, startup.Notice], JournalCheck]


def examine_journal(around: CommandContext, opener: Opener = journal_check) -> Iterator[CheckupFinding]:
    """Yield what was found. Nothing where the settings, the database or the keys are not in order: other checks say so."""
    try:
        settings = around.settings()
        if settings.embedded and not Path(sa.make_url(settings.database_url).database or "").exists():
            return
        with _opened(settings) as database:
            if migrate.check(database) is migrate.SchemaState.UP_TO_DATE:
                yield from _compared(settings, database, around.clock, opener)
    except (KeyturnError, sa.exc.SQLAlchemyError):
        return


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    database = startup.open_database(settings)
    try:
        startup.reach(database)
        yield database
    finally:
        database.close()


def _compared(settings: Settings, database: Database, clock: Clock, opener: Opener) -> Iterator[CheckupFinding]:
    now = clock.now()
    with database.read() as tx:
        rotation_ids, last = due.all_living(tx), last_sign_of_life(tx)
        waiting = due.looks_waiting(tx, now)
    if not rotation_ids:
        return
    if last is not None and now - last <= GAP and not waiting:
        yield ok(_SUBJECT, "Servers compare it with Entra ID each day; what they find is in the overview.")
        return
    check = opener(settings, database, clock, lambda _: None)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = [each for each in threads.map(check.of, rotation_ids) if each is not None]
    findings = [*_gone(found), *_strays(found), *_not_compared(found)]
    yield from findings or [
        ok(_SUBJECT, f"{counted(len(found), 'rotation')} compared: every current credential is at Entra ID.")
    ]


def _gone(found: Sequence[Comparison]) -> Iterator[CheckupFinding]:
    healing = [each for each in found if each.gone and each.heals]
    others = [each for each in found if each.gone and not each.heals]
    if healing:
        gone = counted(len(healing), "current secret of an application is", "current secrets of applications are")
        yield CheckupFinding(
            "warn",
            _SUBJECT,
            f"{gone} not at Entra ID any more: {_names(healing)}. {_WHY}",
            "Start a server: readers are refused these values, and new ones are made at once. Or restore a newer copy first.",
        )
    if others:
        gone = counted(len(others), "current credential is", "current credentials are")
        itself = "itself" if len(others) == 1 else "themselves"
        yield CheckupFinding(
            "warn",
            _SUBJECT,
            f"{gone} not at Entra ID any more and cannot be replaced by {itself}: {_names(others)}. {_WHY}",
            f"Restore a newer copy. {_repair(others)}",
        )


def _of_application(each: Comparison) -> bool:
    return each.rotation.kind is RotationKind.APPLICATION


def _repair(found: Sequence[Comparison]) -> str:
    app_ids = [each.rotation.app_id for each in found if not _of_application(each)]
    if not app_ids:
        return (
            "Or resume the rotations that are paused, and repair the connections of those that could not be compared."
        )
    made = _commands(
        [f"az ad app credential reset --id {app_id} --append --query password -o tsv" for app_id in app_ids]
    )
    waiting = " The others wait for these." if len(app_ids) < len(found) else ""
    return f"Or give each of these connections a new secret (Edit Credentials on its page), made with: {made}.{waiting}"


def _commands(lines: Sequence[str]) -> str:
    """Return as many as are named, as one line that a shell takes."""
    return "; ".join(lines[:_NAMED])


def _strays(found: Sequence[Comparison]) -> Iterator[CheckupFinding]:
    strays = [(each.rotation, stray) for each in found for stray in each.strays]
    if not strays:
        return
    named = ", ".join(f"'{stray.name}' (Key ID {stray.key_id})" for _, stray in strays[:_NAMED])
    more = f" and {len(strays) - _NAMED} more" if len(strays) > _NAMED else ""
    were = counted(
        len(strays),
        "credential at Entra ID was made by a Keyturn server and is",
        "credentials at Entra ID were made by a Keyturn server and are",
    )
    yield CheckupFinding(
        "warn",
        _SUBJECT,
        f"{were} not in this database: {named}{more}. An older copy of it was put back, or another copy is in use.",
        "Stop the other installation if there is one. They are left alone, as programs may have them; later, delete them with: "
        + _commands(
            [f"az ad app credential delete --id {rotation.app_id} --key-id {key.key_id}" for rotation, key in strays]
        ),
    )


def _not_compared(found: Sequence[Comparison]) -> Iterator[CheckupFinding]:
    failed = [each for each in found if each.error is not None and each.gone is None]
    if failed:
        error = failed[0].error
        why = error.message if isinstance(error, KeyturnError) else ""
        yield CheckupFinding(
            "warn",
            _SUBJECT,
            f"{len(failed)} of {counted(len(found), 'rotation')} could not be compared with Entra ID: {_names(failed)}. {why}",
            (error.fix if isinstance(error, KeyturnError) else None) or "Run it again where Entra ID can be reached.",
        )


def _names(found: Sequence[Comparison]) -> str:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(f"'{each.rotation.name}'" for each in found[:_NAMED]) + more
