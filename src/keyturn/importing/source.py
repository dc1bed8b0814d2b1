"""What is in an Infisical server, thing by thing. Only routes that documented clients call are used; they know no pages."""

from collections import deque
from collections.abc import Iterator, Sequence

from keyturn.errors import Refused
from keyturn.importing.answers import (
    FoldersThere,
    ImportsThere,
    ImportThere,
    OneSecretThere,
    ProjectsThere,
    ProjectThere,
    RotationsThere,
    RotationThere,
    SecretsThere,
    SecretThere,
    TagsThere,
    TagThere,
)
from keyturn.importing.client import AnswerTooLarge, NotThere, SourceClient, SourceRefused, part
from keyturn.kit.dataclasses import dataclass
from keyturn.secrets.domain import MOST_FOLDERS, ROOT, below
from keyturn.secrets.folder_names import DEEPEST_FOLDER, require_folder_name

MOST_AT_ONCE = 1000
"""Secrets that are compared and written together, so that a server on the same database never waits for long."""
_FEW = 32
"""Of those that are too large to come in one answer."""
_SECRETS = "/api/v3/secrets/raw"


@dataclass(frozen=True)
class PlacedFolder:
    """A folder there, with its path. ``fault`` says why what is in it is not read."""

    path: str
    description: str | None = None
    fault: str = ""


@dataclass(frozen=True)
class SecretsPart:
    """Some secrets of a folder. ``together``: all of the folder came in one answer, so they are not many bytes."""

    secrets: Sequence[SecretThere]
    together: bool
    unread: Sequence[tuple[str, str]] = ()
    """Names of those that were not given, and why."""


class InfisicalSource:
    """Reads an Infisical server. Every method raises as :meth:`SourceClient.get` does."""

    def __init__(self, client: SourceClient) -> None:
        self._client = client

    @property
    def url(self) -> str:
        return self._client.url

    def projects(self) -> Sequence[ProjectThere]:
        """Return the projects that the machine identity is a member of, by slug."""
        projects = self._client.get("/api/v1/projects", {}, ProjectsThere).projects
        return sorted(projects, key=lambda project: project.slug)

    def tags(self, project_id: str) -> Sequence[TagThere]:
        answer = self._client.get(f"/api/v1/workspace/{part(project_id)}/tags", {}, TagsThere)
        return answer.workspace_tags or answer.tags or []

    def folders(self, project_id: str, environment: str) -> Iterator[PlacedFolder]:
        """Yield the folders of an environment, each after the one that it is in: the root first."""
        ahead, found = deque([PlacedFolder(ROOT)]), 0
        while ahead:
            folder = ahead.popleft()
            yield folder
            found += 1
            if found >= MOST_FOLDERS:
                yield PlacedFolder(folder.path, fault=f"only the first {MOST_FOLDERS} folders are read")
                return
            if folder.fault or folder.path.count("/") > DEEPEST_FOLDER:
                continue
            try:
                ahead += self._children(project_id, environment, folder.path)
            except SourceRefused as error:
                yield PlacedFolder(folder.path, fault=f"the folders in it cannot be read: {error.message}")

    def _children(self, project_id: str, environment: str, path: str) -> list[PlacedFolder]:
        query = {"workspaceId": project_id, "environment": environment, "path": path}
        children = self._client.get("/api/v1/folders", query, FoldersThere).folders
        # Copies of what a replicated import brings are kept in folders that nobody sees.
        own = [each for each in children if not each.is_reserved]
        return [PlacedFolder(below(path, each.name), each.description, _unfit(each.name)) for each in own]

    def secrets(self, project_id: str, environment: str, path: str) -> Iterator[SecretsPart]:
        """Yield the secrets of a folder as they are written there: references in them stay.

        Those that do not fit into one answer are asked for one by one.
        """
        query = {"workspaceId": project_id, "environment": environment, "secretPath": path}
        query |= {"include_imports": "false", "expandSecretReferences": "false", "recursive": "false"}
        try:
            secrets = self._client.get(_SECRETS, query | {"viewSecretValue": "true"}, SecretsThere).secrets
        except AnswerTooLarge:
            yield from self._large(query)
            return
        for first in range(0, len(secrets), MOST_AT_ONCE):
            yield SecretsPart(secrets[first : first + MOST_AT_ONCE], together=True)

    def _large(self, query: dict[str, str]) -> Iterator[SecretsPart]:
        hidden = self._client.get(_SECRETS, query | {"viewSecretValue": "false"}, SecretsThere).secrets
        names = [secret.secret_key for secret in hidden]
        for first in range(0, len(names), _FEW):
            secrets, unread = [], []
            for name in names[first : first + _FEW]:
                address = f"{_SECRETS}/{part(name)}"
                one = query | {"viewSecretValue": "true", "type": "shared"}
                try:
                    secrets.append(self._client.get(address, one, OneSecretThere).secret)
                except SourceRefused as error:
                    unread.append((name, error.message))
            yield SecretsPart(secrets, together=False, unread=unread)

    def imports(self, project_id: str, environment: str, path: str) -> Sequence[ImportThere]:
        """Return the imports of a folder in their order, without those that the server keeps for itself."""
        query = {"workspaceId": project_id, "environment": environment, "path": path}
        rows = self._client.get("/api/v1/secret-imports", query, ImportsThere).secret_imports
        return [row for row in rows if not row.is_reserved]

    def rotations(self, project_id: str) -> Sequence[RotationThere]:
        """Return the rotations of a project; none where the server does not have such."""
        try:
            answer = self._client.get("/api/v2/secret-rotations", {"projectId": project_id}, RotationsThere)
        except NotThere:
            return []
        return answer.secret_rotations


def _unfit(name: str) -> str:
    """Return why no folder here can have this name; empty when one can."""
    try:
        require_folder_name(name)
    except Refused as error:
        return error.message
    return ""
