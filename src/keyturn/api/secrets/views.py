"""How a secret is answered."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain

from keyturn.api.secrets.schemas import (
    HIDDEN,
    ImportShown,
    MakerShown,
    MetadataShown,
    SecretAnswer,
    SecretShown,
    SecretVersion,
    SecretVersions,
    TagOfSecret,
)
from keyturn.delivery.domain import instance_of, key_ids_of, refresh_interval_of
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.ports.sealing import Digests
from keyturn.secrets.domain import Secret, Version
from keyturn.secrets.past import PastFolder
from keyturn.secrets.read_audit import Consumer
from keyturn.secrets.reading import SecretReader
from keyturn.secrets.selection import Group, Selection
from keyturn.web.auth import Caller
from keyturn.web.etags import matches
from keyturn.web.messages import Response, Stream, in_threads
from keyturn.web.schema.wire import encode


def answer(secret: Secret) -> SecretAnswer:
    return SecretAnswer(secret_view(secret))


class Tagged:
    """Answers with a tag, by which whoever has one already is told so before anything is opened."""

    def __init__(self, digests: Digests) -> None:
        self._digests = digests

    def answer(
        self, caller: Caller, fingerprint: str, make: Callable[[], Response], unchanged: Callable[[], object]
    ) -> Response:
        """Return what ``make`` makes, or that the answer with this fingerprint is what the caller has.

        In that case ``unchanged`` is called first.
        """
        etag = f'"{self._digests.digest(Plaintext(fingerprint), _ETAG).rpartition(".")[2][:32]}"'
        if matches(etag, [caller.if_none_match]):
            unchanged()
            return Response(status=304, headers={"etag": etag})
        response = make()
        response.headers["etag"] = etag
        return response


_ETAG = SealContext("answers", "secrets", "etag")


def list_response(reader: SecretReader, actor: Actor, selection: Selection, consumer: Consumer) -> Response:
    """Return the JSON of a ``SecretListAnswer``."""
    return _in_parts(list_parts(reader.opened(actor, selection, consumer)), small=selection.is_small)


def consumer_of(caller: Caller) -> Consumer:
    """Return what the caller says about itself. Raises Refused for what cannot be read."""
    return consumer(caller.ip, caller.instance, caller.refresh_interval, caller.in_use)


@lru_cache(maxsize=4096)
def consumer(ip: str, instance: str, refresh_interval: str, in_use: str) -> Consumer:
    """As :func:`consumer_of`."""
    return Consumer(ip, instance_of(instance), refresh_interval_of(refresh_interval), key_ids_of(in_use))


def past_secrets(found: PastFolder, parts: Iterable[Sequence[Secret]]) -> Response:
    """Return the JSON of a ``PastSecretsAnswer``."""
    return _in_parts(_past_parts(found, parts), small=found.group.is_small)


def _in_parts(parts: Iterator[bytes], *, small: bool) -> Response:
    """Return an answer of these parts; a large one is sent while it is being made."""
    if small:
        return Response(b"".join(parts))
    first = next(parts)  # what goes wrong with it still has a status of its own
    return Stream(in_threads(chain([first], parts)))


def list_parts(groups: Iterable[tuple[Group, Iterable[Sequence[Secret]]]]) -> Iterator[bytes]:
    """Yield the JSON of a ``SecretListAnswer`` part by part."""
    before = b'{"secrets":['
    for number, (group, parts) in enumerate(groups):
        if number:
            before += (b"," if number > 1 else b"") + opening(group)
        before = yield from _secrets(before, parts)
        before += b"]}" if number else b'],"imports":['
    yield before + b"]}"


def _past_parts(found: PastFolder, parts: Iterable[Sequence[Secret]]) -> Iterator[bytes]:
    before = yield from _secrets(b'{"revision":%d,"secrets":[' % found.revision, parts)
    yield before + b"]}"


def _secrets(before: bytes, parts: Iterable[Sequence[Secret]]) -> Generator[bytes, None, bytes]:
    """Yield the JSON of secrets after what comes before them; return what still has to be sent of that."""
    between = b""
    for part in parts:
        yield before + between + encode([secret_view(secret) for secret in part])[1:-1]
        before, between = b"", b","
    return before


def opening(group: Group) -> bytes:
    """Return the JSON of an import up to its secrets."""
    return encode(ImportShown(group.place.path, group.place.environment, group.folder_id, []))[:-2]


def secret_view(secret: Secret) -> SecretShown:
    stored, place, details = secret.stored, secret.place, secret.details
    created_at = iso(stored.created_at)
    return SecretShown(
        id=stored.id,
        same_id=stored.id,
        workspace=place.project_id,
        environment=place.environment,
        version=stored.version,
        type=stored.type,
        secret_key=stored.name,
        secret_value=HIDDEN if secret.value is None else secret.value.reveal(),
        secret_value_hidden=secret.value is None,
        secret_comment=details.comment,
        secret_path=place.path,
        skip_multiline_encoding=stored.skip_multiline_encoding,
        secret_reminder_note=details.reminder_note,
        secret_reminder_repeat_days=details.reminder_days,
        secret_metadata=[MetadataShown(entry.key, entry.value, entry.encrypted) for entry in details.metadata],
        tags=[TagOfSecret(tag.id, tag.slug, tag.name, tag.color) for tag in secret.tags],
        actor=MakerShown(stored.maker.id, stored.maker.kind, stored.maker.name),
        is_rotated_secret=stored.secret_rotation_id is not None,
        rotation_id=stored.secret_rotation_id,
        created_at=created_at,
        updated_at=created_at if stored.updated_at == stored.created_at else iso(stored.updated_at),
    )


def history(versions: Sequence[Version]) -> SecretVersions:
    return SecretVersions(
        [
            SecretVersion(
                each.number,
                each.name,
                MakerShown(each.maker.id, each.maker.kind, each.maker.name),
                each.current,
                iso(each.created_at),
            )
            for each in versions
        ]
    )
