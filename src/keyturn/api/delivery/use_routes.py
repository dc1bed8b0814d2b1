"""The route by which programs say which keys they sign in with, without reading anything."""

from typing import Annotated

from msgspec import Meta

from keyturn.delivery.domain import LONGEST_INSTANCE, LONGEST_INTERVAL, MOST_IN_USE, instance_of
from keyturn.delivery.use_service import Acknowledgements, KeysInUse
from keyturn.kit.actor import Actor
from keyturn.secrets.domain import Address
from keyturn.web.routes import Caller, Routes, group, post
from keyturn.web.schema.validate import NonEmpty, Sentence
from keyturn.web.schema.wire import ApiModel

KeyId = Annotated[
    str, Meta(pattern="^[0-9A-Za-z_-]{1,64}$"), Sentence("must be a key id, as X-Keyturn-Key-Id of the answer told it")
]


class AcknowledgeUse(ApiModel):
    """``keyIds`` are all keys of the folder's secrets that the program signs in with; ``refreshInterval`` in seconds."""

    environment: NonEmpty
    key_ids: Annotated[list[KeyId], Meta(min_length=1, max_length=MOST_IN_USE)]
    secret_path: Annotated[NonEmpty, Meta(max_length=1024)] = "/"
    project_id: NonEmpty | None = None
    project_slug: NonEmpty | None = None
    instance: Annotated[str, Meta(max_length=LONGEST_INSTANCE)] | None = None
    refresh_interval: Annotated[int, Meta(ge=1, le=LONGEST_INTERVAL)] | None = None


def router(acknowledgements: Acknowledgements) -> Routes:
    """Return the routes."""

    @post("/api/v1/delivery/in-use", status=204)
    def acknowledge_use(actor: Actor, caller: Caller, data: AcknowledgeUse) -> None:
        """Say which keys a program signs in with.

        A previous secret that waits for its consumers is removed once none of them holds it any more. What is said counts for
        twice ``refreshInterval``, and until that secret's end where none is given. Without ``instance`` nobody knows whether it
        is one program or several, so what they had before counts on.
        """
        address = Address(data.project_id, data.project_slug, data.environment, data.secret_path)
        instance = instance_of(data.instance) if data.instance else None
        keys = KeysInUse(address, list(dict.fromkeys(data.key_ids)), instance, data.refresh_interval, caller.ip)
        acknowledgements.acknowledge(actor, keys)

    return group("Delivery", acknowledge_use)
