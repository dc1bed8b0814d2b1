"""SQL of freeze windows."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables import freeze_windows, secret_rotations
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.rotations.domain import Rotation
from keyturn.rotations.freezes.domain import FreezeWindow, FreezeWindows

_BY_DAY = (freeze_windows.c.first_day, freeze_windows.c.name, freeze_windows.c.id)
_SHARING = sa.select(secret_rotations.c.project_id).where(secret_rotations.c.rotation_id == sa.bindparam("of_rotation"))
_OF_ROTATION = (
    sa.select(freeze_windows)
    .where(
        freeze_windows.c.org_id == sa.bindparam("org"),
        sa.or_(
            freeze_windows.c.project_id.is_(None),
            freeze_windows.c.project_id == sa.bindparam("project"),
            freeze_windows.c.project_id.in_(_SHARING),
        ),
    )
    .order_by(*_BY_DAY)
)


def of_rotation(tx: Tx, rotation: Rotation) -> FreezeWindows:
    """Return those of the organization, of the rotation's project, and of all that its secret is published to."""
    rows = tx.rows(_OF_ROTATION, org=rotation.org_id, project=rotation.project_id or "", of_rotation=rotation.id)
    return _windows(rows)


@dataclass(frozen=True)
class OrganizationFreezes:
    """All freeze windows of an organization. ``sharing`` are the projects that a rotation's secret is published to."""

    windows: FreezeWindows = ()
    sharing: Mapping[str, frozenset[str]] | None = None

    def of(self, rotation: Rotation) -> FreezeWindows:
        """As :func:`of_rotation`."""
        if not self.windows:
            return ()
        projects = (self.sharing or {}).get(rotation.id, frozenset()) | {None, rotation.project_id}
        return tuple(window for window in self.windows if window.project_id in projects)


def of_organization(tx: Tx, org_id: str) -> OrganizationFreezes:
    """Return what tells the windows of any rotation: one statement, and another one where there are windows of projects."""
    return with_sharing(tx, org_id, list_windows(tx, org_id))


def with_sharing(tx: Tx, org_id: str, windows: FreezeWindows) -> OrganizationFreezes:
    """Return these windows with what tells of which rotations they are."""
    if not any(window.project_id for window in windows):
        return OrganizationFreezes(windows)
    query = sa.select(secret_rotations.c.rotation_id, secret_rotations.c.project_id).distinct()
    sharing: dict[str, frozenset[str]] = {}
    for row in tx.rows(query.where(secret_rotations.c.org_id == org_id)):
        sharing[row["rotation_id"]] = sharing.get(row["rotation_id"], frozenset()) | {row["project_id"]}
    return OrganizationFreezes(windows, sharing)


def list_windows(tx: Tx, org_id: str) -> FreezeWindows:
    """Return all of the organization and of its projects, by their first day."""
    query = sa.select(freeze_windows).where(freeze_windows.c.org_id == org_id).order_by(*_BY_DAY)
    return _windows(tx.rows(query))


def holding_in(tx: Tx, org_id: str, project_id: str | None) -> FreezeWindows:
    """Return those of the organization and, with a project, its own, too."""
    return tuple(window for window in list_windows(tx, org_id) if window.project_id in {None, project_id})


def of_place(tx: Tx, org_id: str, project_id: str | None) -> Sequence[FreezeWindow]:
    """Return those that were made for the project, or (None) for all of the organization."""
    return [window for window in list_windows(tx, org_id) if window.project_id == project_id]


def get(tx: Tx, org_id: str, window_id: str) -> FreezeWindow | None:
    query = sa.select(freeze_windows).where(freeze_windows.c.org_id == org_id, freeze_windows.c.id == window_id)
    return next(iter(_windows(tx.rows(query))), None)


def insert(tx: Tx, org_id: str, window: FreezeWindow, now: datetime) -> None:
    more = {"id": window.id, "org_id": org_id, "project_id": window.project_id, "created_at": now, "updated_at": now}
    tx.run(sa.insert(freeze_windows).values(**_columns(window), **more))


def save(tx: Tx, window: FreezeWindow, now: datetime) -> None:
    update = sa.update(freeze_windows).where(freeze_windows.c.id == window.id)
    tx.run(update.values(**_columns(window), updated_at=now))


def delete(tx: Tx, window_id: str) -> None:
    tx.run(sa.delete(freeze_windows).where(freeze_windows.c.id == window_id))


def _columns(window: FreezeWindow) -> dict[str, Any]:
    return {
        "name": window.name,
        "reason": window.reason,
        "first_day": window.first.isoformat(),
        "last_day": window.last.isoformat(),
        "time_zone": window.time_zone,
        "yearly": window.yearly,
    }


def _windows(rows: Iterable[Mapping[str, Any]]) -> FreezeWindows:
    """Read windows. One whose days cannot be understood puts nothing off: no rotation stops because of it."""
    windows = []
    for row in rows:
        try:
            first, last = date.fromisoformat(row["first_day"]), date.fromisoformat(row["last_day"])
        except (TypeError, ValueError):
            continue
        zone, yearly = str(row["time_zone"]), bool(row["yearly"])
        windows.append(
            FreezeWindow(row["id"], row["name"], row["reason"], first, last, zone, yearly, row["project_id"])
        )
    return tuple(windows)
