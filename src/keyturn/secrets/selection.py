"""Which secrets a list has, before any of them is opened, and the fingerprint of all that its answer is made of."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from keyturn.authz.authorize import Grants
from keyturn.authz.domain import Action
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.secrets import access
from keyturn.secrets.domain import Folder, Place, Reading, ReadValue, StoredSecret, Tag, owner_of
from keyturn.secrets.links import Links
from keyturn.secrets.read_audit import MOST_TOLD
from keyturn.secrets.store import folders, tags
from keyturn.secrets.store.heads import Head, heads

MOST_IN_ANSWER = 100_000
MOST_AT_ONCE = 500
"""Secrets of one part of an answer."""
MOST_SEALED = 1024 * 1024
"""Bytes that are read from the database for one part."""


@dataclass(frozen=True)
class Located:
    """A folder that is read, and whether its values are handed out."""

    place: Place
    view: bool


@dataclass
class Group:
    """The secrets of the folder itself with those below it, or those of one import, in the order in which they are answered."""

    folder_id: str | None
    place: Place
    version_ids: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    """Where parts of the group end that fit into memory."""
    size: int = 0
    """Bytes of what is sealed in its last part."""

    def add(self, version_id: str, size: int) -> None:
        """Add a version whose sealed texts have so many bytes."""
        begins = self.ends[-1] if self.ends else 0
        count = len(self.version_ids) - begins
        if count and (count >= MOST_AT_ONCE or self.size + size > MOST_SEALED):
            self.ends.append(len(self.version_ids))
            self.size = 0
        self.version_ids.append(version_id)
        self.size += size

    @property
    def is_small(self) -> bool:
        """Whether it is one part."""
        return not self.ends

    def parts(self) -> Iterator[Sequence[str]]:
        """Yield the ids of the versions, so many at a time that they fit into memory."""
        first = 0
        for end in [*self.ends, len(self.version_ids)]:
            if end > first:
                yield self.version_ids[first:end]
            first = end


@dataclass(frozen=True)
class Selection:
    """What a list has. Versions never change, so it can be opened part by part, in transactions of their own."""

    reading: Reading
    place: Place
    groups: Sequence[Group]
    """The folder itself first, then its imports in their order."""
    located: Mapping[str, Located]
    """By the id of the folder that a secret is in."""
    tags: Mapping[str, Sequence[Tag]]
    """By the id of the secret, for those that have some."""
    values: Sequence[ReadValue]
    """What is told of the values that are shown: all of them, or of very many those that are credentials."""
    referring_ids: Sequence[str]
    """Versions whose values may name other secrets, which the answer then depends on as well."""
    fingerprint: str
    """The same as long as the answer is, references aside."""

    @property
    def number(self) -> int:
        return sum(len(group.version_ids) for group in self.groups)

    @property
    def is_small(self) -> bool:
        """Whether the whole of it fits into memory as one part does."""
        return (
            all(group.is_small for group in self.groups)
            and self.number <= MOST_AT_ONCE
            and sum(group.size for group in self.groups) <= MOST_SEALED
        )

    @property
    def shows_values(self) -> bool:
        return self.reading.view and any(each.view for each in self.located.values())


def select(tx: Tx, actor: Actor, grants: Grants, links: Links, place: Place, reading: Reading) -> Selection:
    """Return what the actor's list of this place has. Raises Refused for more than fits into one answer."""
    making = _Making(tx, actor, grants, reading)
    within = [
        folder
        for folder in _folders(tx, place, recursive=reading.recursive)
        if making.reaches(folder, place) is not None
    ]
    making.add_group(within[0] if within else None, place, heads(tx, _ids(within), making.owner))
    for reach in links.imported(within) if reading.imports else ():
        readable = [(folder, at) for folder, at in reach if making.reaches(folder, at) is not None]
        if readable:
            making.add_group(*readable[0], making.first_of_each([folder for folder, _ in readable]))
    return making.selection(place)


class _Making:
    """A selection that is being made: each head is looked at once and then only its version is remembered."""

    def __init__(self, tx: Tx, actor: Actor, grants: Grants, reading: Reading) -> None:
        self._tx = tx
        self._actor = actor
        self._grants = grants
        self._reading = reading
        self.owner = owner_of(actor) if reading.overrides else None
        self._groups: list[Group] = []
        self._located: dict[str, Located] = {}
        self._tags: dict[str, Sequence[Tag]] = {}
        self._values: list[ReadValue] = []
        self._referring_ids: list[str] = []
        self._number = 0
        self._digest = hashlib.sha256()

    def reaches(self, folder: Folder, base: Place) -> Located | None:
        """Return the folder with its place, which is in the same environment as ``base``; None when nobody may know of it."""
        place = replace(base, path=folder.path)
        scope = access.scope_of(self._actor, place)
        if not self._grants.allow(Action.DESCRIBE_SECRETS, scope):
            return None
        view = self._reading.view and self._grants.allow(Action.READ_SECRET_VALUES, scope)
        return self._located.setdefault(folder.id, Located(place, view))

    def first_of_each(self, within: Sequence[Folder]) -> Iterator[Head]:
        """Yield everybody's secrets of the folders by name; of those with one name that of the first folder."""
        by_name: dict[str, Head] = {}
        for folder in within:
            for head in heads(self._tx, [folder.id], None):
                by_name.setdefault(head.name, head)
                _require_few(self._number + len(by_name))
        return (by_name[name] for name in sorted(by_name))

    def add_group(self, folder: Folder | None, place: Place, group_heads: Iterable[Head]) -> None:
        group = Group(folder.id if folder else None, place)
        self._groups.append(group)
        self._note("group", group.folder_id, place.environment, place.path)
        project_tags = tags.of_project(self._tx, place.project_id) if folder else ()
        of_each = tags.in_folders(self._tx, project_tags, list(self._located)) if project_tags else {}
        for head in group_heads:
            of_this = of_each.get(head.secret_id, ())
            if self._reading.wants_tags(of_this):
                self._add(group, head, of_this)

    def _add(self, group: Group, head: Head, of_this: Sequence[Tag]) -> None:
        self._number += 1
        _require_few(self._number)
        group.add(head.version_id, head.size)
        if of_this:
            self._tags[head.secret_id] = of_this
        located = self._located[head.folder_id]
        if located.view and (head.credential_id or len(self._values) < MOST_TOLD):
            self._values.append(ReadValue(head.secret_id, head.version_id, head.credential_id))
        if located.view and self._reading.expand and head.has_references:
            self._referring_ids.append(head.version_id)
        words = [[tag.id, tag.slug, tag.name, tag.color] for tag in of_this] if of_this else ""
        # No name and no path has a line break.
        parts = (head.version_id, head.name, head.secret_rotation_id, located.place.path, located.view, words)
        self._digest.update(("\n".join(map(str, parts)) + "\n").encode())

    def selection(self, place: Place) -> Selection:
        self._note(*query_facts(self._reading), place.project_id, self.owner, permission_view(self._grants))
        return Selection(
            self._reading,
            place,
            self._groups,
            self._located,
            self._tags,
            self._values,
            self._referring_ids,
            self._digest.hexdigest(),
        )

    def _note(self, *parts: object) -> None:
        self._digest.update(json.dumps(parts).encode())


def fingerprint_of(
    actor: Actor,
    grants: Grants,
    place: Place,
    row: StoredSecret,
    of_this: Sequence[Tag],
    reading: Reading,
    view: bool,
) -> str:
    """Return the same text as long as the answer with this one secret is the same, references aside."""
    parts: list[object] = [place.project_id, place.environment, place.path, row.version_id, row.name, view]
    parts.append([row.updated_at.isoformat(), row.secret_rotation_id])
    parts += [*query_facts(reading), owner_of(actor) if row.owner_id else None, permission_view(grants)]
    parts += [(tag.id, tag.slug, tag.name, tag.color) for tag in of_this]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def query_facts(reading: Reading) -> Sequence[object]:
    """Return all that a query says about how it wants to read."""
    flags = (reading.view, reading.expand, reading.imports, reading.recursive, reading.overrides)
    return (flags, sorted(reading.tag_slugs), reading.metadata)


def permission_view(grants: Grants) -> object:
    """Return all that the grants permit, in one order."""
    return [
        [
            (
                sorted(rule.actions),
                rule.inverted,
                [
                    (None if each.among is None else sorted(each.among), sorted(each.besides), each.globs)
                    for each in rule.conditions
                ],
            )
            for rule in rules
        ]
        for rules in grants.roles
    ]


def _folders(tx: Tx, place: Place, *, recursive: bool) -> Sequence[Folder]:
    if recursive:
        return folders.in_and_below(tx, place.environment_id, place.path)
    folder = folders.at(tx, place.environment_id, place.path)
    return [folder] if folder else []


def _ids(within: Sequence[Folder]) -> Sequence[str]:
    return [folder.id for folder in within]


def _require_few(count: int) -> None:
    if count > MOST_IN_ANSWER:
        raise Refused(
            f"These are more than {MOST_IN_ANSWER} secrets, and one answer holds no more.",
            code="secrets.answer_too_large",
            fix="Read folder by folder.",
        )
