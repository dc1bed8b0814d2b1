"""The receipt of a run, as a file."""

from keyturn.kit.actor import Actor
from keyturn.rotations.receipts import Receipts, file_headers
from keyturn.web.pages import File, Pages, get, group


def router(receipts: Receipts) -> Pages:
    """Return the route."""

    @get("/rotation-runs/{run_id}/receipt")
    def take_receipt(actor: Actor, run_id: str) -> File:
        return File(receipts.of_run(actor, run_id), "text/plain; charset=utf-8", file_headers(run_id))

    return group(take_receipt)
