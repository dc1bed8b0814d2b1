"""``keyturn receipt``: verify the receipt of a rotation, and print the key to verify it with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from keyturn.cli.context import command_context, opened, tell

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Verify the receipt of a rotation; print the key for it."
)


@app.command()
def verify(
    file: Annotated[str, typer.Argument(help="The receipt; - is standard input.")],
    key: Annotated[
        str,
        typer.Option(
            "--key", help="The server's public key, as `keyturn receipt key` prints it.", envvar="KEYTURN_RECEIPT_KEY"
        ),
    ],
) -> None:
    """Verify a receipt, offline, and say what it is about. Exit status 1 when a byte of it is not what the server signed."""
    from keyturn.client.receipts import verified  # noqa: PLC0415 - the help is shown without it
    from keyturn.errors import Refused  # noqa: PLC0415

    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Refused(
            f"The file {file} cannot be read: {error.strerror}.",
            code="receipt.file_unreadable",
            fix="Give the path of a receipt.",
        ) from None
    said = verified(content, key)
    rotation, run = said["rotation"], said["run"]
    print(f"Verified: the receipt of run {run['id']}, made {said['issuedAt']}.")
    print(f"  {rotation['name']}, application {rotation['applicationName']} ({rotation['appId']})")
    print(f"  {run['state']} at {run['finishedAt']}, {run['reason']}, asked for by {run['requestedBy']}")
    for each in said["credentials"]:
        print(f"  credential {each['keyId']} (generation {each['generation']}): {each['state']}")
    print(f"  audit events: {len(said['events'])}; head of the chain: {said['chain']}")


@app.command()
def key(ctx: typer.Context) -> None:
    """Print the public key with which the receipts of this server are verified."""
    from keyturn.app.startup import open_keyring, require_current  # noqa: PLC0415 - the help is shown without it
    from keyturn.crypto.audit_keys import receipt_key  # noqa: PLC0415
    from keyturn.crypto.keyring import KeyringSealer  # noqa: PLC0415

    around = command_context(ctx)
    settings = around.settings()
    with opened(settings) as database:
        require_current(database)
        sealer = KeyringSealer(open_keyring(settings, database, around.clock, tell))
        print(receipt_key(database, sealer, around.clock.now()).public)
