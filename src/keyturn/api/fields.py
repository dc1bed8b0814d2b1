"""Types of single values that several requests have in common."""

from typing import Annotated

from msgspec import Meta

from keyturn.web.schema.validate import NonEmpty, Trimmed, printable

Secret = Annotated[str, Meta(min_length=1, max_length=1024)]
Name = Annotated[NonEmpty, printable, Meta(max_length=255)]
Text = Annotated[Trimmed, printable, Meta(max_length=255)]
Email = Annotated[NonEmpty, Meta(max_length=254)]
SetupCode = Annotated[str, Meta(max_length=256)]
