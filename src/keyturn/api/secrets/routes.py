"""Routes of secrets. Older clients call version 3, newer ones version 4; both answer the same secrets in the same shape."""

from keyturn.api.secrets.schemas import (
    CreateSecret,
    CreateSecrets,
    DeleteSecret,
    GetById,
    GetV3,
    GetV4,
    ListV3,
    ListV4,
    RollBack,
    SecretAnswer,
    SecretBatchAnswer,
    SecretListAnswer,
    SecretName,
    SecretVersions,
    UpdateSecret,
    VersionsPage,
)
from keyturn.api.secrets.views import Tagged, answer, consumer_of, history, listed, secret_view
from keyturn.kit.actor import Actor
from keyturn.ports.sealing import Digests
from keyturn.secrets.reading import Found, SecretReader
from keyturn.secrets.service import Secrets
from keyturn.web.messages import Response
from keyturn.web.routes import Caller, Operation, Routes, delete, get, group, patch, post
from keyturn.web.schema.wire import encode

V3 = "/api/v3/secrets/raw"
V4 = "/api/v4/secrets"


def router(secrets: Secrets, digests: Digests) -> Routes:
    tagged = Tagged(digests)
    return group("Secrets", *_lists(secrets.reader, tagged), *_single(secrets.reader, tagged), *_writing(secrets))


def _lists(reader: SecretReader, tagged: Tagged) -> list[Operation]:

    def list_all(actor: Actor, caller: Caller, query: ListV3 | ListV4) -> Response:
        consumer, selection = consumer_of(caller), reader.select(actor, query.address(), query.reading())
        return tagged.answer(
            caller,
            selection.fingerprint,
            lambda: listed(reader, actor, selection, consumer),
            lambda: reader.unchanged(actor, selection, consumer),
        )

    def list_v3(actor: Actor, caller: Caller, query: ListV3) -> Response:
        """List the secrets of a folder by name; an empty list when the folder is not there."""
        return list_all(actor, caller, query)

    def list_v4(actor: Actor, caller: Caller, query: ListV4) -> Response:
        """List the secrets of a folder by name; an empty list when the folder is not there."""
        return list_all(actor, caller, query)

    def list_versions(actor: Actor, secret_id: str, query: VersionsPage) -> SecretVersions:
        """List the versions of a secret without their values, the newest first."""
        return history(reader.versions(actor, secret_id, query.limit, query.offset))

    return [
        get(f"{V4}/id/{{secret_id}}/versions")(list_versions),
        get(V3, answer=SecretListAnswer)(list_v3),
        get(V4, answer=SecretListAnswer)(list_v4),
    ]


def _single(reader: SecretReader, tagged: Tagged) -> list[Operation]:
    def show(actor: Actor, caller: Caller, found: Found) -> Response:
        consumer = consumer_of(caller)
        return tagged.answer(
            caller,
            found.fingerprint,
            lambda: Response(encode(answer(reader.open(actor, found, consumer)))),
            lambda: reader.unchanged(actor, found, consumer),
        )

    def get_v3(actor: Actor, caller: Caller, secret_name: SecretName, query: GetV3) -> Response:
        """Show a secret by its name."""
        where, kind = query.address(), query.type
        return show(actor, caller, reader.find(actor, where, secret_name, query.reading(), kind, query.version))

    def get_v4(actor: Actor, caller: Caller, secret_name: SecretName, query: GetV4) -> Response:
        """Show a secret by its name."""
        where, kind = query.address(), query.type
        return show(actor, caller, reader.find(actor, where, secret_name, query.reading(), kind, query.version))

    def get_v3_called_id(actor: Actor, caller: Caller, query: GetV3) -> Response:
        """Show the secret whose name is id."""
        return get_v3(actor, caller, "id", query)

    def get_v4_called_id(actor: Actor, caller: Caller, query: GetV4) -> Response:
        """Show the secret whose name is id."""
        return get_v4(actor, caller, "id", query)

    def get_by_id(actor: Actor, caller: Caller, secret_id: str, query: GetById) -> Response:
        """Show a secret by its id, with its value as it was written: references are not expanded."""
        return show(actor, caller, reader.find_by_id(actor, secret_id, view=query.view_secret_value))

    return [
        get(f"{V3}/{{secret_name}}", answer=SecretAnswer)(get_v3),
        get(f"{V4}/{{secret_name}}", answer=SecretAnswer)(get_v4),
        get(f"{V3}/id", answer=SecretAnswer)(get_v3_called_id),
        get(f"{V4}/id", answer=SecretAnswer)(get_v4_called_id),
        get(f"{V3}/id/{{secret_id}}", answer=SecretAnswer)(get_by_id),
        get(f"{V4}/id/{{secret_id}}", answer=SecretAnswer)(get_by_id),
    ]


def _writing(secrets: Secrets) -> list[Operation]:
    def create_secret(actor: Actor, secret_name: SecretName, data: CreateSecret) -> SecretAnswer:
        """Add a secret to a folder. Its value is kept as it is sent, to the last blank and line break."""
        return answer(secrets.create(actor, data.address(), data.new(secret_name, data.type)))

    def update_secret(actor: Actor, secret_name: SecretName, data: UpdateSecret) -> SecretAnswer:
        """Change what is given of a secret: a new version becomes the current one. The same again changes nothing."""
        change = data.change(data.type, data.new_secret_name or None)
        return answer(secrets.update(actor, data.address(), secret_name, change))

    def delete_secret(actor: Actor, secret_name: SecretName, data: DeleteSecret) -> SecretAnswer:
        """Remove a secret. Its versions stay for views of the past of its folder, as long as these are kept."""
        return answer(secrets.delete(actor, data.address(), secret_name, data.type))

    def create_secrets(actor: Actor, data: CreateSecrets) -> SecretBatchAnswer:
        """Add up to 100 secrets to one folder: all of them, or none."""
        return SecretBatchAnswer(
            [secret_view(secret) for secret in secrets.create_all(actor, data.address(), data.new())]
        )

    def roll_back(actor: Actor, secret_id: str, data: RollBack) -> SecretAnswer:
        """Make what an older version said current again, as a new version. Name and tags stay as they are."""
        return answer(secrets.rollback(actor, secret_id, data.version))

    def create_called_id(actor: Actor, data: CreateSecret) -> SecretAnswer:
        """Add a secret whose name is id."""
        return create_secret(actor, "id", data)

    def update_called_id(actor: Actor, data: UpdateSecret) -> SecretAnswer:
        """Change the secret whose name is id."""
        return update_secret(actor, "id", data)

    def delete_called_id(actor: Actor, data: DeleteSecret) -> SecretAnswer:
        """Remove the secret whose name is id."""
        return delete_secret(actor, "id", data)

    by_name = [
        operation
        for root in (V3, V4)
        for operation in (
            post(f"{root}/{{secret_name}}")(create_secret),
            patch(f"{root}/{{secret_name}}")(update_secret),
            delete(f"{root}/{{secret_name}}")(delete_secret),
            post(f"{root}/id")(create_called_id),
            patch(f"{root}/id")(update_called_id),
            delete(f"{root}/id")(delete_called_id),
        )
    ]
    batch = post("/api/v3/secrets/batch/raw")(create_secrets)
    return [*by_name, batch, post(f"{V4}/id/{{secret_id}}/rollback")(roll_back)]
