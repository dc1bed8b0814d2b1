"""A stand-in for the sealer that hides text from a plain search of the bytes, and knows its own values again."""

import base64

from keyturn.engine.payload import SealedJson


def _seal(text: str) -> str:
    return "sealed:" + base64.b85encode(text[::-1].encode()).decode()


def _open(text: str) -> str:
    return base64.b85decode(text.removeprefix("sealed:")).decode()[::-1]


CODEC = SealedJson(_seal, _open)
