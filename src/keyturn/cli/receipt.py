"""``keyturn receipt``: verify the receipt of a rotation, print the keys to verify it with, and replace the one that signs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keyturn.cli.context import command_context, open_for_command, say, tell

if TYPE_CHECKING:
    from keyturn.db.unit import Database
    from keyturn.ports.clock import Clock
    from keyturn.ports.sealing import Sealer

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Verify the receipt of a rotation; print and replace the key for it.",
)


@app.command()
def verify(
    file: Annotated[str, typer.Argument(help="The receipt; - is standard input.")],
    key: Annotated[
        str,
        typer.Option(
            "--key",
            help="The server's public key, as `keyturn receipt key` prints it; or all of them, with spaces between.",
            envvar="KEYTURN_RECEIPT_KEY",
        ),
    ],
) -> None:
    """Verify a receipt, offline, and say what it is about. Exit status 1 when a byte of it is not what the server signed."""
    from keyturn.client.receipts import verify_receipt  # noqa: PLC0415 - the help is shown without it
    from keyturn.errors import Refused  # noqa: PLC0415

    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Refused(
            f"The file {file} cannot be read: {error.strerror}.",
            code="receipt.file_unreadable",
            fix="Give the path of a receipt.",
        ) from None
    signer, said = verify_receipt(content, key)
    rotation, run = said["rotation"], said["run"]
    say(f"Verified: the receipt of run {run['id']}, made {said['issuedAt']}, signed with {signer.label}.")
    say(f"  {rotation['name']}, application {rotation['applicationName']} ({rotation['appId']})")
    say(f"  {run['state']} at {run['finishedAt']}, {run['reason']}, asked for by {run['requestedBy']}")
    for each in said["credentials"]:
        say(f"  credential {each['keyId']} (generation {each['generation']}): {each['state']}")
    say(f"  audit events: {len(said['events'])}; head of the chain: {said['chain']}")


@app.command()
def key(
    ctx: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were replaced: they verify what they have signed.")
    ] = False,
) -> None:
    """Print the public key with which the receipts of this server are verified; with --all each on a line, that of now first."""
    from keyturn.crypto.audit_keys import published_keys  # noqa: PLC0415 - the help is shown without it

    with _with_keys(ctx) as (database, sealer, _):
        keys = published_keys(database, sealer)
    for each in keys if everything else keys[:1]:
        print(each.key)


@app.command("rotate-key")
def rotate_key(ctx: typer.Context) -> None:
    """Let another key sign receipts from now on, while servers run; print its public half.

    Receipts of before are verified by the public key of before, which stays published; its private half is gone.
    """
    from keyturn.rotations.receipt_keys import replace_key  # noqa: PLC0415 - the help is shown without it

    with _with_keys(ctx) as (database, sealer, clock):
        before, after = replace_key(database, sealer, clock)
    print(after)
    tell(f"{before.label} signs no more. Give those who verify receipts both keys: keyturn receipt key --all")


@contextmanager
def _with_keys(ctx: typer.Context) -> Iterator[tuple[Database, Sealer, Clock]]:
    from keyturn.app.startup import open_keyring, require_current  # noqa: PLC0415 - the help is shown without it
    from keyturn.audit.linking import open_chains  # noqa: PLC0415
    from keyturn.crypto.keyring import KeyringSealer  # noqa: PLC0415

    around = command_context(ctx)
    settings = around.settings()
    with open_for_command(settings) as database:
        require_current(database)
        sealer = KeyringSealer(open_keyring(settings, database, around.clock, tell))
        open_chains(database, sealer, around.clock)
        yield database, sealer, around.clock
