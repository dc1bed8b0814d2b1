"""Just enough of DER to see how much work an encrypted key asks for, before any of it is done.

A key file says itself how often its passphrase is to be hashed. Without a limit one small file could occupy a server for hours.
"""

from collections.abc import Iterator

_SEQUENCE, _INTEGER = 0x30, 0x02


def work_of(encrypted: bytes) -> int:
    """Return the largest number in the parameters of an EncryptedPrivateKeyInfo: rounds of PBKDF2, cost of scrypt.

    0 for what is not such a structure, which the real reader refuses anyway.
    """
    try:
        outer = next(_items(encrypted))[1]
        parameters = next(_items(outer))[1]
        return max(_integers(parameters), default=0)
    except (StopIteration, ValueError, RecursionError):
        return 0


def _integers(data: bytes) -> Iterator[int]:
    for tag, body in _items(data):
        if tag == _SEQUENCE:
            yield from _integers(body)
        elif tag == _INTEGER:
            yield int.from_bytes(body, "big")


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("cut off")
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("cut off")
        yield tag, data[at : at + length]
        at += length
