"""What is in the environments of a project: its folders, their secrets, and what folders import from each other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field

from keyturn.api.folders.schemas import CreateFolder
from keyturn.errors import KeyturnError, NotFound
from keyturn.importing import planning
from keyturn.importing.answers import ImportThere
from keyturn.importing.ledger import SAID_NO, Ledger
from keyturn.importing.report import Entry, Kind, Outcome
from keyturn.importing.source import InfisicalSource, PlacedFolder, SecretsPart
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.projects.domain import Environment, Project
from keyturn.secrets.domain import ROOT, Address, Folder, Reading, Secret, SecretType, clean_path, no_folder
from keyturn.secrets.folders import FolderChange
from keyturn.secrets.service import Secrets


@dataclass
class ProjectPair:
    """A project there and the one here, which a dry run may not have.

    ``environments``: those that are imported, by slug, and whether each is here. ``tag_ids``: the ids here by slug.
    ``folders``: environments and paths of those that are here, or would be.
    """

    id_there: str
    slug: str
    here: Project | None
    environments: dict[str, bool] = field(default_factory=dict)
    tag_ids: dict[str, str] = field(default_factory=dict)
    folders: set[tuple[str, str]] = field(default_factory=set)

    @property
    def project_id(self) -> str:
        """The id here. Never asked for by a dry run that has no project here."""
        if self.here is None:
            raise RuntimeError("the project is not here")
        return self.here.id

    def environment_here(self, slug: str) -> Environment | None:
        return next((each for each in self.here.environments if each.slug == slug), None) if self.here else None


@dataclass(frozen=True)
class _Spot:
    """A folder by its path, there and here."""

    pair: ProjectPair
    environment: str
    path: str = ROOT

    @property
    def name(self) -> str:
        """How the report calls it."""
        return f"{self.pair.slug}/{self.environment}{self.path}".rstrip("/")

    @property
    def address(self) -> Address:
        return Address(self.pair.project_id, None, self.environment, self.path)

    @property
    def there(self) -> tuple[str, str, str]:
        return self.pair.id_there, self.environment, self.path

    @property
    def environment_is_here(self) -> bool:
        return self.pair.environments[self.environment]


class ContentsImport:
    """Brings what is in the environments of a project."""

    def __init__(self, source: InfisicalSource, secrets: Secrets, actor: Actor, ledger: Ledger) -> None:
        self._source = source
        self._secrets = secrets
        self._actor = actor
        self._ledger = ledger

    def bring(self, pair: ProjectPair) -> None:
        """Bring folders and secrets of all environments, then the imports, for which all folders have to be here."""
        brought: list[_Spot] = []
        for environment in pair.environments:
            brought += self._environment(_Spot(pair, environment))
        for spot in brought:
            self._imports(spot)

    def _environment(self, root: _Spot) -> list[_Spot]:
        """Bring the folders of an environment with their secrets; return those that are here then."""
        here: dict[str, Folder] = {}
        if root.environment_is_here:
            listing = self._secrets.folders.list(self._actor, root.address, recursive=True)
            here = {folder.path: folder for folder in listing}
        spots = []
        root.pair.folders.update((root.environment, path) for path in here)
        folders = self._source.folders(root.pair.id_there, root.environment)
        for folder in self._ledger.listed(Kind.FOLDER, root.name, folders):
            if folder.fault:
                self._ledger.refuse(Kind.FOLDER, root.name, folder.path, folder.fault)
            elif folder.path == ROOT or self._folder(root, folder, here):
                spot = _Spot(root.pair, root.environment, folder.path)
                self._folder_secrets(spot, is_here=folder.path == ROOT or folder.path in here)
                spots.append(spot)
                root.pair.folders.add((root.environment, folder.path))
        return spots

    def _folder(self, root: _Spot, there: PlacedFolder, here: Mapping[str, Folder]) -> bool:
        def create(new: CreateFolder) -> Folder:
            above = _Spot(root.pair, root.environment, new.path or ROOT)
            return self._secrets.folders.create(self._actor, above.address, new.name, new.description).folder

        def change(folder: Folder, new: CreateFolder) -> Folder:
            wanted = FolderChange(description=new.description or "")
            return self._secrets.folders.update(self._actor, folder.id, wanted).folder

        settled = self._ledger.settle(
            Kind.FOLDER,
            root.name,
            there.path,
            here=lambda: here.get(there.path),
            wanted=lambda: planning.new_folder(there.path, there.description),
            differences=planning.folder_differences,
            create=create,
            change=change,
        )
        return settled is not None

    # --- secrets ------------------------------------------------------------------------------------------------------

    def _folder_secrets(self, spot: _Spot, *, is_here: bool) -> None:
        first, options = len(self._ledger.report.entries), self._ledger.options
        is_here = is_here and spot.environment_is_here
        here: Mapping[str, Secret] | None = None if is_here else {}
        for part in self._ledger.listed(Kind.SECRET, spot.name, self._source.secrets(*spot.there)):
            for name, reason in part.unread:
                self._ledger.refuse(Kind.SECRET, spot.name, name, reason)
            if here is None or (is_here and not part.together):
                here = self._secrets_here(spot.address, part)
            tag_ids = spot.pair.tag_ids
            plan = planning.plan_secrets(spot.name, part.secrets, here, tag_ids, overwrite=options.overwrite)
            if not options.dry_run and (plan.new or plan.changes):
                self._write(spot.address, plan)
            for entry in plan.entries.values():
                self._ledger.note(entry)
        counts = Counter(entry.outcome.value for entry in self._ledger.report.entries[first:])
        told = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
        self._ledger.tell(f"{spot.name}: {told or 'no secrets'}")

    def _secrets_here(self, address: Address, part: SecretsPart) -> Mapping[str, Secret]:
        """Return the secrets here by name: all of the folder when those there came together, else those of the names."""
        reader, reading = self._secrets.reader, Reading()
        if part.together:
            return {secret.stored.name: secret for secret in reader.list(self._actor, address, reading).secrets}
        here = {}
        for each in part.secrets:
            try:
                here[each.secret_key] = reader.get(self._actor, address, each.secret_key, reading, SecretType.SHARED)
            except NotFound:
                continue
        return here

    def _write(self, address: Address, plan: planning.SecretsPlan) -> None:
        """Write all of the plan in one transaction."""
        refusals: Mapping[str, KeyturnError]
        try:
            refusals = self._secrets.write_all(self._actor, address, plan.new, plan.changes)
        except SAID_NO as error:
            refusals = dict.fromkeys([*(new.name for new in plan.new), *plan.changes], error)
        for name, refusal in refusals.items():
            plan.refuse(name, planning.reason_of(refusal))

    # --- imports ------------------------------------------------------------------------------------------------------

    def _imports(self, spot: _Spot) -> None:
        there = self._ledger.read(Kind.IMPORT, spot.name, lambda: self._source.imports(*spot.there))
        if not there:
            return
        here: list[tuple[str, str]] = []
        if spot.environment_is_here:
            placed = self._secrets.imports.list(self._actor, spot.address)
            here = [(each.source.environment, each.source.path) for each in placed]
        wanted = [_named_by(each) for each in there]
        for each, source in zip(there, wanted, strict=True):
            if self._import(spot, each, source, here) and source not in here:
                here.append(source)
        order = [source for source in here if source in wanted]
        if order != [source for source in wanted if source in here]:
            reason = "They are in another order here, and the last one counts most: move them by hand."
            self._ledger.refuse(Kind.IMPORT, spot.name, "order", reason)

    def _import(
        self, spot: _Spot, there: ImportThere, source: tuple[str, str], here: Sequence[tuple[str, str]]
    ) -> bool:
        name = "".join(source)
        if source in here:
            self._ledger.note(Entry(Kind.IMPORT, spot.name, name, Outcome.EQUAL))
            return True
        try:
            if source not in spot.pair.folders:
                raise no_folder(source[1])
            if not self._ledger.options.dry_run:
                self._secrets.imports.create(self._actor, spot.address, *source)
        except SAID_NO as error:
            self._ledger.refuse(Kind.IMPORT, spot.name, name, planning.reason_of(error))
            return False
        reason = "replicated there; here it is read when it is asked for" if there.is_replication else ""
        self._ledger.note(Entry(Kind.IMPORT, spot.name, name, Outcome.CREATED, reason))
        return True


def _named_by(there: ImportThere) -> tuple[str, str]:
    """Return environment and path of the folder that an import names."""
    return there.import_env.slug, clean_path(there.import_path)
