"""The options by which commands of the client name the server, who asks, and which folder is meant."""

from typing import Annotated

import typer

from keyturn.cli.context import command_context, tell
from keyturn.client.opening import Client, open_client

Url = Annotated[str | None, typer.Option("--url", "--domain", help="Address of the server [KEYTURN_URL].")]
Project = Annotated[
    str | None, typer.Option("--project", "--projectId", help="Id or slug of the project [KEYTURN_PROJECT].")
]
Environment = Annotated[str | None, typer.Option("--env", "-e", help="Slug of the environment [KEYTURN_ENVIRONMENT].")]
SecretPath = Annotated[str | None, typer.Option("--path", help="Folder, e.g. /billing [KEYTURN_SECRET_PATH].")]
Method = Annotated[
    str | None,
    typer.Option("--method", help="universal-auth, oidc-auth, kubernetes-auth or azure-auth [KEYTURN_AUTH_METHOD]."),
]
Recursive = Annotated[bool, typer.Option("--recursive", help="The folders below as well; the nearest counts most.")]
Imports = Annotated[bool, typer.Option("--imports/--no-imports", help="What the folder imports as well.")]


def client_of(
    ctx: typer.Context,
    url: str | None,
    method: str | None = None,
    project: str | None = None,
    environment: str | None = None,
    path: str | None = None,
    *,
    seconds: float = 30.0,
) -> Client:
    """Return the client for these options. Secrets come from the environment and from files only: never from options."""
    given = {"url": url, "method": method, "project": project, "environment": environment, "path": path}
    client = open_client(command_context(ctx).environ, given, tell, seconds=seconds)
    ctx.call_on_close(client.server.close)
    return client
