"""What the secrets of a project lead to, by references and by imports, as one transaction sees it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from keyturn.authz.authorize import Grants, Scope, grants_of
from keyturn.authz.domain import Action
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.ports.sealing import Sealer
from keyturn.projects import store as projects
from keyturn.projects.domain import Environment
from keyturn.secrets.domain import Folder, Place, Secret, StoredSecret
from keyturn.secrets.references import Target, Values, closes_circle, closure, expand_references, targets_of
from keyturn.secrets.sealed import value_of, value_opener
from keyturn.secrets.store import folders, imports, secrets
from keyturn.secrets.vanished import require_there

MOST_IMPORTED = 100
"""Folders that one folder may take secrets from, directly and through others."""


class Links:
    """The references and imports of one project, as an actor may follow them.

    A reference to what they may not read leads to nothing, as one does to what is not there: neither is told apart.
    """

    def __init__(self, tx: Tx, sealer: Sealer, actor: Actor, project_id: str) -> None:
        self._tx = tx
        self._sealer = sealer
        self._actor = actor
        self._project_id = project_id
        self._reached: dict[Target, StoredSecret] = {}

    @cached_property
    def _environments(self) -> Mapping[str, Environment]:
        """The environments by id. Most secrets lead nowhere, and then nobody asks for them."""
        project = projects.project(self._tx, self._actor.org_id, self._project_id)
        return {environment.id: environment for environment in project.environments} if project else {}

    @cached_property
    def _grants(self) -> Grants:
        return grants_of(self._tx, self._actor, Scope(self._actor.org_id, self._project_id))

    # --- references ---------------------------------------------------------------------------------------------------

    def expand(self, listed_secrets: Sequence[Secret]) -> Sequence[Secret]:
        """Return the secrets with the references in their values replaced. Raises Refused when that would be too much."""
        start = {_home(secret): secret.value.reveal() for secret in listed_secrets if secret.value is not None}
        if not any(targets_of(text, home) for home, text in start.items()):
            return listed_secrets
        values = expand_references(closure(start, self._load))
        return [
            secret if secret.value is None else replace(secret, value=Plaintext(values[_home(secret)]))
            for secret in listed_secrets
        ]

    def reached(self, listed_secrets: Sequence[Secret]) -> Sequence[tuple[Target, str]]:
        """Return what the references in their values lead to, each with the id of its version, in one order."""
        self._reached.clear()
        closure(
            {_home(secret): secret.value.reveal() for secret in listed_secrets if secret.value is not None}, self._load
        )
        return sorted((target, row.version_id) for target, row in self._reached.items())

    def openers(self, listed_secrets: Sequence[Secret]) -> Sequence[tuple[Callable[[], Plaintext], int]]:
        """Return what opens each value with its references replaced, however often, and how many sealed bytes that holds.

        It gives what :meth:`expand` gives, as long as nothing changes in the project, nor what the actor may read.
        """
        self._reached.clear()
        start = {_home(secret): secret.value.reveal() for secret in listed_secrets if secret.value is not None}
        texts = closure(start, self._load)
        rows = {_home(secret): secret.stored for secret in listed_secrets} | self._reached
        return [self._opener(_home(secret), texts, rows) for secret in listed_secrets]

    def _opener(
        self, home: Target, texts: Values, rows: Mapping[Target, StoredSecret]
    ) -> tuple[Callable[[], Plaintext], int]:
        openers, size, ahead = dict[Target, Callable[[], Plaintext]](), 0, [home]
        while ahead:
            target = ahead.pop()
            if target in texts and target not in openers:
                openers[target] = value_opener(self._sealer, self._project_id, rows[target])
                size += rows[target].size
                ahead += targets_of(texts[target], target)

        def opened() -> Plaintext:
            return Plaintext(expand_references({target: value().reveal() for target, value in openers.items()})[home])

        return opened, size

    def closes_circle(self, place: Place, name: str, value: Plaintext) -> bool:
        """Say whether the references of a value that is to be written there lead back to it."""
        home = Target(place.environment, place.path, name)
        start = {home: value.reveal()}
        return bool(targets_of(start[home], home)) and closes_circle(home, closure(start, self._load))

    def _load(self, targets: Iterable[Target]) -> Values:
        names: dict[tuple[str, str], list[str]] = {}
        for target in targets:
            names.setdefault((target.environment, target.path), []).append(target.name)
        values: dict[Target, str] = {}
        ids = {environment.slug: environment.id for environment in self._environments.values()}
        for (environment, path), wanted in names.items():
            scope = Scope(self._actor.org_id, self._project_id, environment, path)
            if not self._grants.allow(Action.READ_SECRET_VALUES, scope):
                continue
            folder = folders.at(self._tx, ids.get(environment, ""), path)
            rows = secrets.secrets_of_names(self._tx, folder.id, wanted) if folder else ()
            require_there(self._tx, rows)
            for row in rows:
                value = value_of(self._sealer, self._project_id, row)
                values[Target(environment, path, row.name)] = value.reveal()
                self._reached[Target(environment, path, row.name)] = row
        return values

    # --- imports ------------------------------------------------------------------------------------------------------

    def imported(self, within: Sequence[Folder]) -> Iterator[Sequence[tuple[Folder, Place]]]:
        """Yield for each import of these folders, in their order, the folders that it brings; the first one counts most.

        Of what an imported folder imports itself the last one counts most, as it does for those who read. A circle ends where
        it closes.
        """
        of_each = imports.of_folders(self._tx, [folder.id for folder in within])
        for folder in within:
            for each in of_each.get(folder.id, ()):
                yield self._reach((each.environment_id, each.path), besides=(folder.environment_id, folder.path))

    def reaches(self, start: tuple[str, str], end: tuple[str, str]) -> bool:
        """Say whether the imports of one folder lead to another. Both are named by their environment's id and their path."""
        return any((folder.environment_id, folder.path) == end for folder, _ in self._reach(start, besides=None))

    def _reach(self, start: tuple[str, str], besides: tuple[str, str] | None) -> Sequence[tuple[Folder, Place]]:
        visited, ahead = {besides}, [start]
        reachable: list[tuple[Folder, Place]] = []
        while ahead:
            here = ahead.pop()
            if here in visited:
                continue
            visited.add(here)
            folder, environment = folders.at(self._tx, *here), self._environments.get(here[0])
            if folder is None or environment is None:
                continue
            if len(reachable) >= MOST_IMPORTED:
                raise Refused(
                    f"This folder imports more than {MOST_IMPORTED} others.",
                    code="secrets.imports_too_many",
                    fix="Remove imports that nobody needs.",
                )
            reachable.append(
                (folder, Place(self._project_id, environment.id, environment.slug, environment.name, folder.path))
            )
            ahead += [(each.environment_id, each.path) for each in imports.of_folder(self._tx, folder.id)]
        return reachable


def _home(secret: Secret) -> Target:
    """Return what a secret's value is kept under. A personal one has its own place: nothing refers to it."""
    place, row = secret.place, secret.stored
    name = row.name if row.owner_id is None else f"{row.name}\n{row.owner_id}"  # no name has a line break
    return Target(place.environment, place.path, name)
