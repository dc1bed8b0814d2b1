"""Browsing secrets: a page of a folder or of a search without values, and the values that somebody asks to see one by one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from keyturn.authz.authorize import Grants, Scope, grants_of, require_in
from keyturn.authz.domain import Action
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Sealer
from keyturn.secrets import access
from keyturn.secrets.domain import ROOT, Address, Folder, Place, Secret, StoredSecret
from keyturn.secrets.reading import note_read
from keyturn.secrets.sealed import details_of, value_of
from keyturn.secrets.store import folders, listing, tags
from keyturn.secrets.store.listing import NamesOfFolder
from keyturn.secrets.vanished import require_there

MOST_FOLDERS_SHOWN = 100
MOST_REVEALED = 100
MOST_WORDS = 8
FEW_NAMES = 20


@dataclass(frozen=True)
class SecretPage:
    """Some of the secrets of a place, without values: those that the reader may know of."""

    place: Place
    folder: Folder | None
    """None: it is not there; the root is there once something was written below it."""
    folders: Sequence[Folder]
    more_folders: bool
    """Whether there are more than those shown."""
    secrets: Sequence[Secret]
    total: int
    readable: frozenset[str]
    """The ids of those whose values the reader may see."""
    can: frozenset[str]
    """What the reader may do in this folder."""
    ends: Mapping[str, datetime] = field(default_factory=dict)
    """When they stop working by themselves, by id: those of which it is known."""

    @property
    def missing(self) -> bool:
        return self.folder is None and self.place.path != ROOT


@dataclass(frozen=True)
class ShownSecret:
    """A secret without its value, and what the reader may do there."""

    secret: Secret
    can: frozenset[str]

    @property
    def readable(self) -> bool:
        return Action.READ_SECRET_VALUES in self.can


class SecretListing:
    """Shows secrets to people. Values are handed out by :meth:`reveal` alone, which writes that down before."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock

    def page(self, actor: Actor, address: Address, text: str, limit: int, offset: int) -> SecretPage:
        """Return a page of the folder, or with a text of the secrets of the environment that have its words in their names.

        Of folders that the reader may not look into only those are shown that lead to some that they may. Raises Forbidden
        for any other, whether it is there or not.
        """
        words = text.split()[:MOST_WORDS]
        with self._database.read() as tx:
            place, grants = access.locate_above(tx, actor, Action.DESCRIBE_SECRETS, address)
            visible = _visible(tx, actor, grants, place)
            if visible is not None and place.path not in _above(visible.values()):  # be it there or not
                require_in(grants, actor, Action.DESCRIBE_SECRETS, access.scope_of(actor, place))
            folder = folders.at(tx, place.environment_id, place.path)
            within: Sequence[Folder]
            if words:
                within = listing.folders_with(tx, place.environment_id, words, visible, MOST_FOLDERS_SHOWN + 1)
                rows, total = listing.search(tx, place.environment_id, words, visible, limit, offset)
            else:
                within = _leading(listing.some_children(tx, folder.id), visible) if folder else []
                sees = folder is not None and grants.allow(Action.DESCRIBE_SECRETS, access.scope_of(actor, place))
                rows, total = listing.page_of_folder(tx, folder.id, limit, offset) if folder and sees else ([], 0)
            shown = self._shown(tx, [(replace(place, path=path), row) for path, row in rows])
            ends = listing.ends(tx, [row for _, row in rows])
        readable = {one.stored.id for one in shown if _reads(actor, grants, one.place)}
        return SecretPage(
            place,
            folder,
            within[:MOST_FOLDERS_SHOWN],
            len(within) > MOST_FOLDERS_SHOWN,
            shown,
            total,
            frozenset(readable),
            _can(actor, grants, place),
            ends,
        )

    def names_at(self, actor: Actor, places: Sequence[Place]) -> Sequence[NamesOfFolder]:
        """Return for each of these places of one project what its folder holds, by the first names.

        Of a folder that the reader may not look into nothing is told.
        """
        if not places:
            return []
        with self._database.read() as tx:
            grants = grants_of(tx, actor, Scope(actor.org_id, places[0].project_id))
            keys = {
                (place.environment_id, place.path)
                for place in places
                if grants.allow(Action.DESCRIBE_SECRETS, access.scope_of(actor, place))
            }
            found = listing.first_names(tx, list(keys), FEW_NAMES)
        return [found.get((place.environment_id, place.path), NamesOfFolder(0, ())) for place in places]

    def reveal(self, actor: Actor, project_id: str, secret_ids: Sequence[str]) -> Sequence[Secret]:
        """Return these secrets of the project with their values, each written into the trail. Raises NotFound and Forbidden."""
        wanted = list(dict.fromkeys(secret_ids))
        if len(wanted) > MOST_REVEALED:
            raise Refused(
                f"{MOST_REVEALED} values are shown at once.", code="secrets.too_many_revealed", fix="Ask for fewer."
            )
        with self._database.write() as tx:
            grants = grants_of(tx, actor, Scope(actor.org_id, project_id))
            pairs = [pair for pair in listing.with_values(tx, actor.org_id, wanted) if pair[1].project_id == project_id]
            for _, place in pairs:
                require_in(grants, actor, Action.READ_SECRET_VALUES, access.scope_of(actor, place))
            if len(pairs) < len(wanted):
                raise NotFound(
                    "Some of these secrets are not there any more.",
                    code="secrets.not_found",
                    fix="Load the page again.",
                )
            pairs.sort(key=lambda pair: (pair[1].path, pair[0].name))
            return [self._revealed(tx, actor, place, row) for row, place in pairs]

    def reveal_version(self, actor: Actor, secret_id: str, number: int | None = None) -> Secret:
        """Return a secret with the value of one of its versions, the current one unless told; written into the trail."""
        with self._database.write() as tx:
            row, place = access.found_by_id(tx, actor, Action.READ_SECRET_VALUES, secret_id)
            return self._revealed(tx, actor, place, row if number is None else access.at_version(tx, row, number))

    def one(self, actor: Actor, secret_id: str) -> ShownSecret:
        """Return a secret without its value. Raises NotFound."""
        with self._database.read() as tx:
            row, place = access.found_by_id(tx, actor, Action.DESCRIBE_SECRETS, secret_id)
            [secret] = self._shown(tx, [(place, row)])
            grants = grants_of(tx, actor, Scope(actor.org_id, place.project_id))
            return ShownSecret(secret, _can(actor, grants, place))

    def _revealed(self, tx: Tx, actor: Actor, place: Place, row: StoredSecret) -> Secret:
        require_there(tx, [row])
        secret = Secret(row, place, value_of(self._sealer, place.project_id, row))
        note_read(tx, actor, secret, self._clock.now())
        return secret

    def _shown(self, tx: Tx, placed: Sequence[tuple[Place, StoredSecret]]) -> Sequence[Secret]:
        if not placed:
            return []
        project_id = placed[0][0].project_id
        of_each = tags.of_secrets(tx, project_id, [row.id for _, row in placed])
        return [
            Secret(row, place, None, details_of(self._sealer, project_id, row), of_each.get(row.id, ()))
            for place, row in placed
        ]


def _can(actor: Actor, grants: Grants, place: Place) -> frozenset[str]:
    scope = access.scope_of(actor, place)
    return frozenset(action.value for action in Action if grants.allow(action, scope))


def _reads(actor: Actor, grants: Grants, place: Place) -> bool:
    return grants.allow(Action.READ_SECRET_VALUES, access.scope_of(actor, place))


def _visible(tx: Tx, actor: Actor, grants: Grants, place: Place) -> Mapping[str, str] | None:
    """Return the folders of the environment that the reader may look into, by id with their paths; None: all of them."""
    if grants.everywhere(Action.DESCRIBE_SECRETS):
        return None
    every = folders.in_and_below(tx, place.environment_id, ROOT)
    return {
        folder.id: folder.path
        for folder in every
        if grants.allow(Action.DESCRIBE_SECRETS, access.scope_of(actor, replace(place, path=folder.path)))
    }


def _leading(children: Sequence[Folder], visible: Mapping[str, str] | None) -> Sequence[Folder]:
    """Return the folders that may be looked into, and those above such."""
    if visible is None:
        return children
    above = _above(visible.values())
    return [folder for folder in children if folder.path in above]


def _above(paths: Iterable[str]) -> frozenset[str]:
    """Return these paths, those of all folders above them, and the root."""
    ends = ((path, end) for path in paths for end in range(1, len(path) + 1))
    return frozenset({ROOT, *(path[:end] for path, end in ends if path[end : end + 1] in {"", "/"})})
