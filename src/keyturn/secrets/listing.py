"""Browsing secrets: a page of a folder or of a search without values, and the values that somebody asks to see one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keyturn.authz.domain import Action
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Sealer
from keyturn.secrets import access
from keyturn.secrets.domain import ROOT, Address, Folder, Place, Secret, StoredSecret
from keyturn.secrets.reading import note_read
from keyturn.secrets.sealed import details_of, value_of
from keyturn.secrets.store import folders, listing, tags
from keyturn.secrets.store.listing import NamesOfFolder

MOST_FOLDERS_SHOWN = 100
MOST_REVEALED = 100
MOST_WORDS = 8
FEW_NAMES = 20


@dataclass(frozen=True)
class SecretPage:
    """Some of the secrets of a place, without values."""

    place: Place
    folder: Folder | None
    """None: it is not there; the root is there once something was written below it."""
    folders: Sequence[Folder]
    more_folders: bool
    """Whether there are more than those shown."""
    secrets: Sequence[Secret]
    total: int
    reads_values: bool
    """Whether the reader may see values there."""

    @property
    def missing(self) -> bool:
        return self.folder is None and self.place.path != ROOT


class SecretListing:
    """Shows secrets to people. Values are handed out by :meth:`reveal` alone, which writes that down before."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock

    def page(self, actor: Actor, address: Address, text: str, limit: int, offset: int) -> SecretPage:
        """Return a page of the folder, or with a text of the secrets of the environment that have its words in their names."""
        words = text.split()[:MOST_WORDS]
        with self._database.read() as tx:
            place = access.locate(tx, actor, Action.DESCRIBE_SECRETS, address)
            folder = folders.at(tx, place.environment_id, place.path)
            most = MOST_FOLDERS_SHOWN + 1
            if words:
                within = listing.folders_with(tx, place.environment_id, words, most)
                rows, total = listing.search(tx, place.environment_id, words, limit, offset)
            else:
                within = listing.some_children(tx, folder.id, most) if folder else []
                rows, total = listing.page_of_folder(tx, folder.id, limit, offset) if folder else ([], 0)
            shown = self._shown(tx, [(replace(place, path=path), row) for path, row in rows])
            reads = access.may_read_values(tx, actor, place)
            return SecretPage(
                place, folder, within[:MOST_FOLDERS_SHOWN], len(within) == most, shown, total, reads_values=reads
            )

    def names_at(self, actor: Actor, places: Sequence[Place]) -> Sequence[NamesOfFolder]:
        """Return for each of these places of one project what its folder holds, by the first names."""
        with self._database.read() as tx:
            for place in places:
                access.require_there(tx, actor, Action.DESCRIBE_SECRETS, place)
            keys = [(place.environment_id, place.path) for place in places]
            found = listing.first_names(tx, list(dict.fromkeys(keys)), FEW_NAMES)
            return [found.get(key, NamesOfFolder(0, ())) for key in keys]

    def reveal(self, actor: Actor, project_id: str, secret_ids: Sequence[str]) -> Sequence[Secret]:
        """Return these secrets of the project with their values, each written into the trail. Raises NotFound and Forbidden."""
        wanted = list(dict.fromkeys(secret_ids))
        if len(wanted) > MOST_REVEALED:
            raise Refused(
                f"{MOST_REVEALED} values are shown at once.", code="secrets.too_many_revealed", fix="Ask for fewer."
            )
        with self._database.write() as tx:
            pairs = [pair for pair in listing.with_values(tx, actor.org_id, wanted) if pair[1].project_id == project_id]
            if len(pairs) < len(wanted):
                raise NotFound(
                    "Some of these secrets are not there any more.",
                    code="secrets.not_found",
                    fix="Load the page again.",
                )
            for place in {place for _, place in pairs}:
                access.require_there(tx, actor, Action.READ_SECRET_VALUES, place)
            return [self._revealed(tx, actor, place, row) for row, place in pairs]

    def reveal_version(self, actor: Actor, secret_id: str, number: int | None = None) -> Secret:
        """Return a secret with the value of one of its versions, the current one unless told; written into the trail."""
        with self._database.write() as tx:
            row, place = access.found_by_id(tx, actor, Action.READ_SECRET_VALUES, secret_id)
            return self._revealed(tx, actor, place, row if number is None else access.at_version(tx, row, number))

    def one(self, actor: Actor, secret_id: str) -> tuple[Secret, bool]:
        """Return a secret without its value, and whether the reader may see that. Raises NotFound."""
        with self._database.read() as tx:
            row, place = access.found_by_id(tx, actor, Action.DESCRIBE_SECRETS, secret_id)
            [secret] = self._shown(tx, [(place, row)])
            return secret, access.may_read_values(tx, actor, place)

    def _revealed(self, tx: Tx, actor: Actor, place: Place, row: StoredSecret) -> Secret:
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
