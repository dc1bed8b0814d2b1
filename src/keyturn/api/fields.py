"""Types of single values that several requests have in common."""

from typing import Annotated

from msgspec import Meta

from keyturn.kit.secret import Plaintext
from keyturn.web.schema.validate import NonEmpty, Trimmed, printable, trimmed

Secret = Annotated[Plaintext, Meta(min_length=1, max_length=1024)]
Name = Annotated[NonEmpty, printable, Meta(max_length=255)]
Text = Annotated[Trimmed, printable, Meta(max_length=255)]
Email = Annotated[NonEmpty, Meta(max_length=254)]
SetupCode = Annotated[Plaintext, Meta(max_length=256)]
OneTimeCode = Annotated[Plaintext, trimmed, Meta(min_length=1, max_length=64)]
"""The digits of an authenticator app, or a recovery code."""
