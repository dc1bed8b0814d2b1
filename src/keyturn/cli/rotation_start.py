"""``keyturn rotation-start``: through which connection an application of an inventory can be rotated, or why through none."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from keyturn.cli import named
from keyturn.cli.client_options import Method, Url, client_of
from keyturn.cli.confirm import AsJson
from keyturn.cli.context import say

_PATIENCE = 120.0
"""Seconds that a request may take: connections sign in meanwhile."""

app = typer.Typer(rich_markup_mode=None)


@app.command(
    help="Say through which connection the secret of an application in an inventory can be rotated, or why through none: all "
    "connections to its tenant are tried that you may use. Changes nothing. Exit status 1: through none."
)
def rotation_start(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Object id, client id or name of the application.")],
    tenant: Annotated[str, typer.Option("--tenant", help="Id of its tenant, where several are read.")] = "",
    url: Url = None,
    method: Method = None,
    as_json: AsJson = False,
) -> None:
    server = client_of(ctx, url, method, seconds=_PATIENCE).server
    application = named.application(server, name, tenant)
    refused: list[Mapping[str, Any]] = []
    offset: int | None = 0
    while offset is not None:  # the server tries as many at once as it has time for
        start = server.ask("GET", f"{application.path}/rotation-start", {"offset": str(offset)})
        refused += start["refused"]
        offset = start["nextOffset"]
    if as_json:
        print(json.dumps(start | {"refused": refused}, indent=2))
    else:
        for line in _lines(application, start, refused):
            say(line)
    raise typer.Exit(0 if start["connection"] or start["signInConnection"] else 1)


def _lines(application: named.Named, start: Mapping[str, Any], refused: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    through, own = start["connection"], start["signInConnection"]
    what = f"'{application.facts['displayName']}' ({application.facts['appId']})"
    if through:
        yield f"{what} can be rotated through the connection '{through['name']}' ({through['id']})."
    elif own:
        yield f"The connection '{own['name']}' ({own['id']}) signs in as {what}: its own rotation rotates the secret."
    else:
        yield f"{what} cannot be rotated yet, through none of the connections to its tenant that you may use."
        for each in refused:
            yield f"  {each['connection']['name']}: {each['message']}"
            yield from [f"    -> {each['fix']}"] if each["fix"] else []
