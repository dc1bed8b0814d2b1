"""Routes of imports: that a folder takes the secrets of another."""

from keyturn.api.secret_imports.schemas import (
    CreateImport,
    EnvironmentOfImport,
    InFolder,
    SecretImportAnswer,
    SecretImportList,
    SecretImportShown,
    UpdateImport,
)
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.secrets.domain import Place
from keyturn.secrets.imports import ImportChange, Imports, PlacedImport
from keyturn.web.routes import Routes, delete, get, group, patch, post

ROOT = "/api/v1/secret-imports"


def router(imports: Imports) -> Routes:
    def list_imports(actor: Actor, query: InFolder) -> SecretImportList:
        """List the imports of a folder in their order."""
        views = [_shown(each) for each in imports.list(actor, query.address())]
        return SecretImportList("The imports of the folder.", views)

    def get_import(actor: Actor, import_id: str) -> SecretImportAnswer:
        """Show an import."""
        return SecretImportAnswer("The import.", _shown(imports.get(actor, import_id)))

    def create_import(actor: Actor, data: CreateImport) -> SecretImportAnswer:
        """Let a folder import another one of the project. Lists that ask for imports have its secrets, too."""
        placed = imports.create(actor, data.address(), data.source.environment, data.source.path)
        return SecretImportAnswer("The import was created.", _shown(placed))

    def update_import(actor: Actor, import_id: str, data: UpdateImport) -> SecretImportAnswer:
        """Change what an import brings, or its position among the imports of its folder."""
        source = data.source
        change = ImportChange(source.environment or None, source.path or None, source.position or None)
        return SecretImportAnswer("The import was changed.", _shown(imports.update(actor, import_id, change)))

    def delete_import(actor: Actor, import_id: str) -> SecretImportAnswer:
        """Remove an import."""
        return SecretImportAnswer("The import was deleted.", _shown(imports.delete(actor, import_id)))

    address = f"{ROOT}/{{import_id}}"
    return group(
        "Secret imports",
        get(ROOT)(list_imports),
        post(ROOT)(create_import),
        get(address)(get_import),
        patch(address)(update_import),
        delete(address)(delete_import),
    )


def _shown(placed: PlacedImport) -> SecretImportShown:
    row = placed.row
    return SecretImportShown(
        id=row.id,
        folder_id=row.folder_id,
        project_id=placed.place.project_id,
        environment=_environment(placed.place),
        secret_path=placed.place.path,
        import_env=_environment(placed.source),
        import_path=row.path,
        position=row.position,
        created_at=iso(row.created_at),
        updated_at=iso(row.updated_at),
    )


def _environment(place: Place) -> EnvironmentOfImport:
    return EnvironmentOfImport(place.environment_id, place.environment_name, place.environment)
