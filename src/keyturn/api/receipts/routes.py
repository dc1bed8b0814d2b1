"""Routes of receipts: what a server signs of the rotations that it did."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.rotations.receipts import Receipts, file_headers
from keyturn.web.messages import Response
from keyturn.web.routes import Routes, get, group
from keyturn.web.schema.validate import Uuid
from keyturn.web.schema.wire import ApiModel, Timestamp


class ReceiptKey(ApiModel):
    """The public key, in the form of https://c2sp.org/signed-note."""

    key: Annotated[str, Meta(examples=["keyturn-receipts+3f2a9c01+AQ=="])]


class PublishedReceiptKey(ApiModel):
    key: Annotated[str, Meta(examples=["keyturn-receipts+3f2a9c01+AQ=="])]
    key_id: Annotated[str, Meta(description="As receipts name it: `signedWith`.")]
    since: Timestamp
    until: Annotated[Timestamp | None, Meta(description="null: it signs now.")]


class ReceiptKeys(ApiModel):
    """All public keys of receipts, the one that signs now first."""

    receipt_keys: Sequence[PublishedReceiptKey]


def router(receipts: Receipts) -> Routes:
    """Return the routes."""

    @get("/api/v1/receipt-key", public=True)
    def show_receipt_key() -> ReceiptKey:
        """Show the public key with which receipts are verified: `keyturn receipt verify FILE --key KEY`."""
        return ReceiptKey(receipts.public_key())

    @get("/api/v1/receipt-keys", public=True)
    def list_receipt_keys() -> ReceiptKeys:
        """List the public keys with which receipts are verified, also those that were replaced and sign no more.

        A receipt names its key as `signedWith`; `keyturn receipt verify FILE --key "KEY KEY ..."` takes all of them.
        """
        keys = receipts.public_keys()
        return ReceiptKeys(
            [
                PublishedReceiptKey(str(one.key), one.key.label, iso(one.since), iso(one.until) if one.until else None)
                for one in keys
            ]
        )

    @get("/api/v1/rotation-runs/{run_id}/receipt")
    def get_receipt(actor: Actor, run_id: Uuid) -> Response:
        """Send the receipt of a run that has ended: who asked for it and why, credentials, proofs, times, audit events.

        A text of JSON with a signature below (https://c2sp.org/signed-note), which anyone verifies offline. No value is in it.
        """
        return Response(receipts.of_run(actor, run_id), media_type="text/plain", headers=file_headers(run_id))

    return group("Receipts", show_receipt_key, list_receipt_keys, get_receipt)
