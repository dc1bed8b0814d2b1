"""Routes of secrets. Older clients call version 3, newer ones version 4; both answer the same secrets in the same shape."""

from collections.abc import Callable, Sequence

from keyturn.api.secrets.hot import Learner
from keyturn.api.secrets.promises import Promises
from keyturn.api.secrets.schemas import (
    CreateSecret,
    CreateSecrets,
    DeleteSecret,
    DeleteSecrets,
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
    UpdateSecrets,
    VersionsPage,
)
from keyturn.api.secrets.views import Tagged, answer, consumer_of, history, list_response, secret_view
from keyturn.api.secrets.waits import Seen, Waits, address_of, concern_of_list, concern_of_one
from keyturn.delivery.concerns import Concern
from keyturn.delivery.watch import ChangeWatch
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.sealing import Digests
from keyturn.secrets.domain import Address, Secret
from keyturn.secrets.read_audit import Consumer
from keyturn.secrets.reading import Found, SecretReader
from keyturn.secrets.selection import Selection
from keyturn.secrets.service import Secrets
from keyturn.web.messages import Response
from keyturn.web.routes import Caller, Operation, Routes, delete, get, group, patch, post
from keyturn.web.schema.wire import encode
from keyturn.web.waiting import UntilNews

V3 = "/api/v3/secrets/raw"
V4 = "/api/v4/secrets"


_NOWHERE = Address(None, None, None)
Held = Response | UntilNews[Response]


def router(
    secrets: Secrets, digests: Digests, watch: ChangeWatch, promises: Promises, learner: Learner | None = None
) -> Routes:
    """``learner`` keeps answers for the short way."""
    answers = _Answers(secrets.reader, Tagged(digests), Waits(watch), promises, learner)
    return group("Secrets", *_lists(answers), *_single(answers), *_writing(secrets), *_several(secrets))


@dataclass(frozen=True)
class _Answers:
    """Looks for secrets, and answers with them now or when there is news."""

    reader: SecretReader
    tagged: Tagged
    waits: Waits
    promises: Promises
    learner: Learner | None

    def all(self, actor: Actor, caller: Caller, query: ListV3 | ListV4) -> Held:
        consumer, where = consumer_of(caller), query.address()

        def look(actor: Actor) -> Seen:
            selection = self.reader.select(actor, where, query.reading())
            response = self.tagged.answer(
                caller,
                selection.fingerprint,
                lambda: list_response(self.reader, actor, selection, consumer),
                lambda: self.reader.unchanged(actor, selection, consumer),
            )
            concern = concern_of_list(actor, selection)
            self._finish(caller, actor, selection, response, consumer, query.wait, concern)
            return response, concern

        return self.waits.answer(actor, caller, query.wait, where, look)

    def one(
        self, actor: Actor, caller: Caller, wait: int | None, where: Address, find: Callable[[Actor], Found]
    ) -> Held:
        consumer = consumer_of(caller)

        def look(actor: Actor) -> Seen:
            found = find(actor)
            response = self.tagged.answer(
                caller,
                found.fingerprint,
                lambda: Response(encode(answer(self.reader.open(actor, found, consumer)))),
                lambda: self.reader.unchanged(actor, found, consumer),
            )
            concern = concern_of_one(actor, where, found)
            self._finish(caller, actor, found, response, consumer, wait, concern)
            return response, concern

        return self.waits.answer(actor, caller, wait, where, look)

    def _finish(
        self,
        caller: Caller,
        actor: Actor,
        seen: Found | Selection,
        response: Response,
        consumer: Consumer,
        wait: int | None,
        concern: Concern,
    ) -> None:
        """Say what is promised of the values, and keep the answer."""
        etag, promise = response.headers["etag"], self.promises.of(seen)
        response.headers.update(self.promises.headers(promise, consumer.refresh_interval, wait))
        if self.learner is not None:
            self.learner.learn(caller, actor, seen, etag, concern, promise)


def _lists(answers: _Answers) -> list[Operation]:
    reader, list_all = answers.reader, answers.all

    def list_v3(actor: Actor, caller: Caller, query: ListV3) -> Held:
        """List the secrets of a folder by name; an empty list when the folder is not there."""
        return list_all(actor, caller, query)

    def list_v4(actor: Actor, caller: Caller, query: ListV4) -> Held:
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


def _single(answers: _Answers) -> list[Operation]:
    reader, show = answers.reader, answers.one

    def by_name(actor: Actor, caller: Caller, secret_name: SecretName, query: GetV3 | GetV4) -> Held:
        def find(actor: Actor) -> Found:
            return reader.find(actor, query.address(), secret_name, query.reading(), query.type, query.version)

        return show(actor, caller, query.wait, query.address(), find)

    def get_v3(actor: Actor, caller: Caller, secret_name: SecretName, query: GetV3) -> Held:
        """Show a secret by its name."""
        return by_name(actor, caller, secret_name, query)

    def get_v4(actor: Actor, caller: Caller, secret_name: SecretName, query: GetV4) -> Held:
        """Show a secret by its name."""
        return by_name(actor, caller, secret_name, query)

    def get_v3_called_id(actor: Actor, caller: Caller, query: GetV3) -> Held:
        """Show the secret whose name is id."""
        return get_v3(actor, caller, "id", query)

    def get_v4_called_id(actor: Actor, caller: Caller, query: GetV4) -> Held:
        """Show the secret whose name is id."""
        return get_v4(actor, caller, "id", query)

    def get_v4_called_batch(actor: Actor, caller: Caller, query: GetV4) -> Held:
        """Show the secret whose name is batch. It is written by the routes of version 3."""
        return get_v4(actor, caller, "batch", query)

    def get_by_id(actor: Actor, caller: Caller, secret_id: str, query: GetById) -> Held:
        """Show a secret by its id, with its value as it was written: references are not expanded."""

        def find(actor: Actor) -> Found:
            return reader.find_by_id(actor, secret_id, view=query.view_secret_value)

        return show(actor, caller, query.wait, address_of(find(actor).place) if query.wait else _NOWHERE, find)

    return [
        get(f"{V3}/{{secret_name}}", answer=SecretAnswer)(get_v3),
        get(f"{V4}/{{secret_name}}", answer=SecretAnswer)(get_v4),
        get(f"{V3}/id", answer=SecretAnswer)(get_v3_called_id),
        get(f"{V4}/id", answer=SecretAnswer)(get_v4_called_id),
        get(f"{V4}/batch", answer=SecretAnswer)(get_v4_called_batch),
        get(f"{V3}/id/{{secret_id}}", answer=SecretAnswer)(get_by_id),
        get(f"{V4}/id/{{secret_id}}", answer=SecretAnswer)(get_by_id),
    ]


def _writing(secrets: Secrets) -> list[Operation]:
    def create_secret(actor: Actor, secret_name: SecretName, data: CreateSecret) -> SecretAnswer:
        """Add a secret to a folder. Its value is kept as it is sent, to the last blank and line break."""
        return answer(secrets.create(actor, data.address(), data.new(secret_name, data.type, data.secret_value)))

    def update_secret(actor: Actor, secret_name: SecretName, data: UpdateSecret) -> SecretAnswer:
        """Change what is given of a secret: a new version becomes the current one. The same again changes nothing."""
        change = data.change(data.type, data.secret_value, data.new_secret_name or None)
        return answer(secrets.update(actor, data.address(), secret_name, change))

    def delete_secret(actor: Actor, secret_name: SecretName, data: DeleteSecret) -> SecretAnswer:
        """Remove a secret. Its versions stay for views of the past of its folder, as long as these are kept."""
        return answer(secrets.delete(actor, data.address(), secret_name, data.type))

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
    return [*by_name, post(f"{V4}/id/{{secret_id}}/rollback")(roll_back)]


def _several(secrets: Secrets) -> list[Operation]:
    def create_secrets(actor: Actor, data: CreateSecrets) -> SecretBatchAnswer:
        """Add up to 100 secrets to one folder: all of them, or none."""
        return _batch(secrets.create_all(actor, data.address(), data.new()))

    def update_secrets(actor: Actor, data: UpdateSecrets) -> SecretBatchAnswer:
        """Change what is given of up to 100 secrets of an environment, one after the other: all of them, or none.

        With the mode ``upsert`` those that are not there are added, with ``ignore`` they are passed over.
        """
        return _batch(secrets.update_all(actor, data.changes(), data.mode))

    def delete_secrets(actor: Actor, data: DeleteSecrets) -> SecretBatchAnswer:
        """Remove up to 100 secrets of one folder: all of them, or none."""
        return _batch(secrets.delete_all(actor, data.address(), data.names()))

    return [
        operation
        for path in ("/api/v3/secrets/batch/raw", f"{V4}/batch")
        for operation in (post(path)(create_secrets), patch(path)(update_secrets), delete(path)(delete_secrets))
    ]


def _batch(several: Sequence[Secret]) -> SecretBatchAnswer:
    return SecretBatchAnswer([secret_view(secret) for secret in several])
