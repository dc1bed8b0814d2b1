"""Bech32 as the keys of age are written: letters and digits that cannot be mistaken, with a checksum (BIP 173, without its limit
of 90 characters).
"""

from collections.abc import Iterable

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6


def encode(prefix: str, data: bytes) -> str:
    """Return the text of these bytes, in lower case."""
    values = _regroup(data, 8, 5)
    polymod = _polymod([*_expand(prefix), *values, *[0] * _CHECKSUM]) ^ 1
    checksum = [polymod >> 5 * (_CHECKSUM - 1 - place) & 31 for place in range(_CHECKSUM)]
    return f"{prefix}1{''.join(_ALPHABET[value] for value in (*values, *checksum))}"


def decode(prefix: str, text: str) -> bytes | None:
    """Return the bytes of a text with this prefix; None when it has another one, or was mistyped."""
    if text not in {text.lower(), text.upper()}:
        return None
    found, _, rest = text.lower().rpartition("1")
    if found != prefix or len(rest) < _CHECKSUM or not set(rest) <= set(_ALPHABET):
        return None
    values = [_ALPHABET.index(letter) for letter in rest]
    if _polymod([*_expand(prefix), *values]) != 1:
        return None
    bits = len(values[:-_CHECKSUM]) * 5
    data = bytes(_regroup(values[:-_CHECKSUM], 5, 8)[: bits // 8])
    return data if encode(prefix, data) == text.lower() else None


def _expand(prefix: str) -> list[int]:
    codes = prefix.encode()
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]


def _polymod(values: Iterable[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for place, factor in enumerate(_GENERATOR):
            checksum ^= factor if top >> place & 1 else 0
    return checksum


def _regroup(values: Iterable[int], width: int, wanted: int) -> list[int]:
    """Return the same bits in groups of another width; the last one is filled up with zeros."""
    groups, held, bits = [], 0, 0
    for value in values:
        held = (held << width | value) & 0xFFFF
        bits += width
        while bits >= wanted:
            bits -= wanted
            groups.append(held >> bits & (1 << wanted) - 1)
    if bits:
        groups.append(held << wanted - bits & (1 << wanted) - 1)
    return groups
