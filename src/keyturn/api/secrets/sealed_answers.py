"""Answers with secrets whose values are still sealed: all that is no secret is written out once, the rest each time."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence

from keyturn.api.secrets.views import opening, secret_view
from keyturn.kit.secret import Plaintext
from keyturn.ports.sealing import Sealer
from keyturn.secrets.domain import Place, Secret, StoredSecret, Tag
from keyturn.secrets.sealed import details_of, value_opener
from keyturn.secrets.selection import Group, Selection
from keyturn.web.schema.wire import encode

Piece = bytes | Callable[[], bytes]
Rows = Sequence[StoredSecret]
Openers = Mapping[str, Callable[[], Plaintext]]

_MARK = secrets.token_hex(16)
_BLANK = b'"secretValue":' + encode(_MARK)
_PIECE_BYTES = 1200
"""About what an opened and a written piece take besides their texts."""


class SealedJson:
    """The JSON of an answer in pieces, of which some are opened each time. Nothing opened is kept."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces: list[Piece] = []
        written: list[bytes] = []
        for piece in pieces:
            if isinstance(piece, bytes):
                written.append(piece)
                continue
            self._pieces += [b"".join(written), piece]
            written = []
        self._pieces.append(b"".join(written))

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes, besides what is sealed."""
        return sum(_PIECE_BYTES + (len(piece) if isinstance(piece, bytes) else 0) for piece in self._pieces)

    def json(self) -> bytes:
        """Open it. Raises Misconfigured when a value was changed in the database."""
        return b"".join([piece if isinstance(piece, bytes) else piece() for piece in self._pieces])


def sealed_answer(
    sealer: Sealer, row: StoredSecret, place: Place, tags: Sequence[Tag], openers: Openers, *, view: bool
) -> SealedJson:
    """Return the JSON of a ``SecretAnswer``. ``openers`` open values otherwise than as they are, by the ids of the versions."""
    return SealedJson(iter([b'{"secret":', *_pieces(sealer, row, place, tags, openers, view=view), b"}"]))


def sealed_list(
    sealer: Sealer, selection: Selection, rows: Sequence[tuple[Group, Rows]], openers: Openers
) -> SealedJson:
    """Return the JSON of a ``SecretListAnswer``, as ``views.list_parts`` writes it."""
    return SealedJson(_of_list(sealer, selection, rows, openers))


def _of_list(
    sealer: Sealer, selection: Selection, rows: Sequence[tuple[Group, Rows]], openers: Openers
) -> Iterator[Piece]:
    yield b'{"secrets":['
    for number, (group, of_group) in enumerate(rows):
        if number:
            yield (b"," if number > 1 else b"") + opening(group)
        for position, row in enumerate(of_group):
            if position:
                yield b","
            located = selection.located[row.folder_id]
            tags = selection.tags.get(row.id, ())
            yield from _pieces(sealer, row, located.place, tags, openers, view=located.view)
        yield b"]}" if number else b'],"imports":['
    yield b"]}"


def _pieces(
    sealer: Sealer, row: StoredSecret, place: Place, tags: Sequence[Tag], openers: Openers, *, view: bool
) -> list[Piece]:
    value = openers.get(row.version_id) or value_opener(sealer, place.project_id, row) if view else None
    if row.details is not None:
        return [_whole(sealer, row, place, tags, value)]
    if value is None:
        return [encode(secret_view(Secret(row, place, None, tags=tags)))]
    blank = encode(secret_view(Secret(row, place, Plaintext(_MARK), tags=tags)))
    before, _, after = blank.partition(_BLANK)
    return [before + b'"secretValue":', lambda: encode(value().reveal()), after]


def _whole(
    sealer: Sealer, row: StoredSecret, place: Place, tags: Sequence[Tag], value: Callable[[], Plaintext] | None
) -> Callable[[], bytes]:
    """What is written about a secret is sealed as its value is: no piece of it is written out before."""
    project_id = place.project_id

    def opened() -> bytes:
        details = details_of(sealer, project_id, row)
        return encode(secret_view(Secret(row, place, value() if value else None, details, tags)))

    return opened
