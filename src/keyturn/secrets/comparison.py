"""Comparing two environments: which secrets one of them lacks, and which values differ, without showing any."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial

from keyturn.authz.authorize import Grants, Scope, grants_of
from keyturn.authz.domain import Action
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.batches import batches
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.sealing import Sealer
from keyturn.secrets import access
from keyturn.secrets.domain import ROOT, Address, Place, clean_path
from keyturn.secrets.sealed import value_of
from keyturn.secrets.store import folders, listing
from keyturn.secrets.store.listing import NamedSecret

MOST_COMPARED = 10_000
"""Secrets of each side."""
_AT_ONCE = 50
"""Pairs of values that are in memory at the same time."""


class Difference(StrEnum):
    ONLY_LEFT = "only-left"
    ONLY_RIGHT = "only-right"
    DIFFERENT = "different"
    SAME = "same"


@dataclass(frozen=True)
class ComparedSecret:
    """One name in one folder. Of the two secrets one may be missing."""

    path: str
    name: str
    left: NamedSecret | None
    right: NamedSecret | None
    difference: Difference


@dataclass(frozen=True)
class Comparison:
    left: Place
    right: Place
    secrets: Sequence[ComparedSecret]
    """By path and name."""

    @property
    def counts(self) -> Mapping[Difference, int]:
        counted = Counter(secret.difference for secret in self.secrets)
        return {difference: counted[difference] for difference in Difference}


class Comparisons:
    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def compare(self, actor: Actor, left: Address, right: Address) -> Comparison:
        """Compare two folders of one project and all below them.

        Whoever compares learns which values are the same, so they need the right to read them on both sides: folders below
        that they may not read in both are left out. Raises Forbidden when that is so of the two themselves, and Refused for
        more than :data:`MOST_COMPARED` secrets on one side.
        """
        with self._database.read() as tx:
            here = access.locate(tx, actor, Action.READ_SECRET_VALUES, left)
            there = access.locate(tx, actor, Action.READ_SECRET_VALUES, right)
            grants = grants_of(tx, actor, Scope(actor.org_id, here.project_id))
            readable = partial(_readable, actor, grants, (here, there))
            ours, theirs = self._names(tx, here, readable), self._names(tx, there, readable)
            both = [(ours[key], theirs[key]) for key in ours.keys() & theirs.keys()]
            equal = {one.id for one in self._equal(tx, here.project_id, both)}
        compared = []
        for key in sorted(ours.keys() | theirs.keys()):
            one, other = ours.get(key), theirs.get(key)
            compared.append(ComparedSecret(*key, one, other, _difference(one, other, equal)))
        return Comparison(here, there, compared)

    def _names(self, tx: Tx, place: Place, readable: Callable[[str], bool]) -> Mapping[tuple[str, str], NamedSecret]:
        """Return the secrets at and below the place by path and name; the path is that within the place."""
        above = "" if place.path == ROOT else place.path
        within = {
            folder.id: folder.path.removeprefix(above) or ROOT
            for folder in folders.in_and_below(tx, place.environment_id, place.path)
        }
        ids = [folder_id for folder_id, path in within.items() if readable(path)]
        rows = listing.names(tx, ids, MOST_COMPARED + 1)
        if len(rows) > MOST_COMPARED:
            raise Refused(
                f"There are more than {MOST_COMPARED} secrets in {place.environment_name} below {place.path}.",
                code="secrets.too_many_compared",
                fix="Compare folder by folder.",
            )
        return {(row.path.removeprefix(above) or ROOT, row.name): row for row in rows}

    def _equal(
        self, tx: Tx, project_id: str, pairs: Sequence[tuple[NamedSecret, NamedSecret]]
    ) -> Iterator[NamedSecret]:
        """Yield the first of each pair that has the same value, opening a few at a time."""
        for part in batches(pairs, _AT_ONCE):
            ids = [secret.id for pair in part for secret in pair]
            values = {row.id: value_of(self._sealer, project_id, row) for row in listing.values_of(tx, ids)}
            for one, other in part:
                if one.id in values and other.id in values and values[one.id] == values[other.id]:
                    yield one


def _readable(actor: Actor, grants: Grants, places: Sequence[Place], path: str) -> bool:
    """Say whether the folder with this path below each of the places may be read."""
    return all(
        grants.allow(
            Action.READ_SECRET_VALUES,
            Scope(actor.org_id, place.project_id, place.environment, clean_path(place.path + path)),
        )
        for place in places
    )


def _difference(left: NamedSecret | None, right: NamedSecret | None, equal: set[str]) -> Difference:
    if left is None:
        return Difference.ONLY_RIGHT
    if right is None:
        return Difference.ONLY_LEFT
    return Difference.SAME if left.id in equal else Difference.DIFFERENT
