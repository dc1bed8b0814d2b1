"""Routes of folders. Older clients call version 1, newer ones version 2."""

from msgspec import UNSET
from msgspec.structs import asdict

from keyturn.api.folders.schemas import (
    CreateFolder,
    DeleteFolder,
    EnvironmentOfFolder,
    FolderAnswer,
    FolderList,
    FolderShown,
    FolderWithPlace,
    FolderWithPlaceAnswer,
    ListFolders,
    UpdateFolder,
)
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.secrets.domain import Address, Folder, clean_path
from keyturn.secrets.folders import FolderChange, Folders, PlacedFolder
from keyturn.web.routes import Operation, Routes, delete, get, group, patch, post

ROOTS = ("/api/v1/folders", "/api/v2/folders")


def router(folders: Folders) -> Routes:
    return group("Folders", *_reading(folders), *_changing(folders))


def _reading(folders: Folders) -> list[Operation]:
    def list_folders(actor: Actor, query: ListFolders) -> FolderList:
        """List the folders in a folder, or with ``recursive`` all below it; an empty list when it is not there."""
        address = query.address()
        listing = folders.list(actor, address, recursive=query.recursive)
        return FolderList([folder_view(folder, clean_path(address.path)) for folder in listing])

    def get_folder(actor: Actor, folder: str) -> FolderWithPlaceAnswer:
        """Show a folder by its id."""
        return _placed(folders.get(actor, folder))

    def get_at(actor: Actor, folder: str, environment: str, path: str) -> FolderWithPlaceAnswer:
        """Show the folder at this path. The first part is the id of the project."""
        return _placed(folders.at(actor, Address(folder, None, environment, path)))

    def get_root(actor: Actor, folder: str, environment: str) -> FolderWithPlaceAnswer:
        """Show the root folder of an environment. The first part is the id of the project."""
        return _placed(folders.at(actor, Address(folder, None, environment)))

    return [
        *(get(root)(list_folders) for root in ROOTS),
        *(get(f"{root}/{{folder}}")(get_folder) for root in ROOTS),
        get("/api/v1/folders/{folder}/{environment}")(get_root),
        get("/api/v1/folders/{folder}/{environment}/{path:path}")(get_at),
    ]


def _changing(folders: Folders) -> list[Operation]:
    def create_folder(actor: Actor, data: CreateFolder) -> FolderAnswer:
        """Add a folder; those above it that are missing are added, too."""
        folder = folders.create(actor, data.address(), data.name, data.description)
        return FolderAnswer(folder_view(folder.folder))

    def update_folder(actor: Actor, folder: str, data: UpdateFolder) -> FolderAnswer:
        """Rename or describe the folder with this id. All in it comes along.

        Where the body names a project or an environment, the folder is one of that.
        """
        description = "" if data.description is None else data.description
        change = FolderChange(data.name or None, None if description is UNSET else description)
        return FolderAnswer(folder_view(folders.update(actor, folder, change, data.address()).folder))

    def delete_folder(actor: Actor, folder: str, data: DeleteFolder) -> FolderAnswer:
        """Remove a folder with all in it, by its id or by its name in the folder that the body says."""
        return FolderAnswer(folder_view(folders.delete(actor, data.address(), folder).folder))

    return [
        *(post(root)(create_folder) for root in ROOTS),
        *(patch(f"{root}/{{folder}}")(update_folder) for root in ROOTS),
        *(delete(f"{root}/{{folder}}")(delete_folder) for root in ROOTS),
    ]


def folder_view(folder: Folder, base: str = "/") -> FolderShown:
    """Return the folder; its relative path begins at ``base``."""
    return FolderShown(
        id=folder.id,
        name=folder.name,
        env_id=folder.environment_id,
        parent_id=folder.parent_id,
        version=folder.version,
        description=folder.description,
        path=folder.path,
        relative_path=clean_path(folder.path.removeprefix(base.rstrip("/"))),
        created_at=iso(folder.created_at),
        updated_at=iso(folder.updated_at),
    )


def _placed(folder: PlacedFolder) -> FolderWithPlaceAnswer:
    place = folder.place
    environment = EnvironmentOfFolder(place.environment_id, place.environment_name, place.environment)
    brief = asdict(folder_view(folder.folder))
    return FolderWithPlaceAnswer(FolderWithPlace(**brief, project_id=place.project_id, environment=environment))
