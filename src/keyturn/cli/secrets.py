"""``keyturn secrets``: read and write the secrets of a folder. Values come from standard input or files, never from options."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from keyturn.cli.client_options import Environment, Imports, Method, Project, Recursive, SecretPath, Url, client_of
from keyturn.cli.confirm import AsJson, Confirmation, Done, DryRun, Foreseen, Yes
from keyturn.cli.context import tell
from keyturn.client.domain import Source
from keyturn.client.formats import FORMATS, format_values
from keyturn.client.opening import Client
from keyturn.client.reader import Reader
from keyturn.errors import Misconfigured, NotFound, Refused
from keyturn.kit.counting import counted
from keyturn.kit.secret import Plaintext

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Read and write the secrets of a folder.")

Name = Annotated[str, typer.Argument(help="Name of the secret.")]
Format = Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")]


@app.command(name="list")
def list_secrets(
    ctx: typer.Context,
    url: Url = None,
    method: Method = None,
    project: Project = None,
    env: Environment = None,
    path: SecretPath = None,
    recursive: Recursive = False,
    imports: Imports = True,
) -> None:
    """Print the names of the secrets, without their values."""
    client = client_of(ctx, url, method, project, env, path)
    for name in sorted(_reader(client, client.source(recursive=recursive, imports=imports)).read().secret_set.values):
        print(name)


@app.command()
def get(
    ctx: typer.Context,
    name: Name,
    url: Url = None,
    method: Method = None,
    project: Project = None,
    env: Environment = None,
    path: SecretPath = None,
) -> None:
    """Print the value of one secret as it is, without a line break behind it."""
    client = client_of(ctx, url, method, project, env, path)
    source = client.source()
    value = _reader(client, source).read().secret_set.values.get(name)
    if value is None:
        raise NotFound(
            f"There is no secret '{name}' in {source.shown()}.",
            code="client.no_secret",
            fix="See which there are: keyturn secrets list",
        )
    sys.stdout.write(value.reveal())


@app.command(name="set")
def set_secret(
    ctx: typer.Context,
    name: Name,
    value_file: Annotated[
        Path | None, typer.Option("--value-file", help="File with the value, taken to the last byte.")
    ] = None,
    url: Url = None,
    method: Method = None,
    project: Project = None,
    env: Environment = None,
    path: SecretPath = None,
) -> None:
    """Set a secret to what comes from standard input, without the last line break, or to the content of a file."""
    client = client_of(ctx, url, method, project, env, path)
    source, value = client.source(), _value(value_file)
    new = client.server.write(source, name, value)
    tell(f"{'Added' if new else 'Changed'} '{name}' in {source.shown()}.")


@app.command()
def delete(
    ctx: typer.Context,
    name: Name,
    url: Url = None,
    method: Method = None,
    project: Project = None,
    env: Environment = None,
    path: SecretPath = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove a secret with all its versions. Asks at a terminal; without one it needs --yes."""
    wanted, client = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method, project, env, path)
    source = client.source()
    facts = client.server.describe(source, name)
    title = f"Remove '{name}' from {source.shown()}"

    def remove() -> Done:
        return Done(f"Removed '{name}' from {source.shown()}.", client.server.delete(source, name))

    wanted.carry_out(Foreseen(title, _going(facts), facts, _rotated(facts)), remove)


def _going(facts: Mapping[str, Any]) -> list[str]:
    made = f"changed last on {facts['updatedAt'][:10]}"
    return [
        f"takes {counted(facts['version'], 'version')} with it, {made}",
        "programs that read the folder do not find it any more; personal values that stand in for it go, too",
    ]


def _rotated(facts: Mapping[str, Any]) -> Refused | None:
    if not facts["isRotatedSecret"]:
        return None
    return Refused(
        "Its value comes from a secret rotation, which alone changes it.",
        code="client.rotated_secret",
        fix=f"Delete the secret rotation instead: keyturn delete rotation {facts['rotationId']} --delete-secrets",
    )


@app.command()
def export(
    ctx: typer.Context,
    format_name: Format = "dotenv",
    url: Url = None,
    method: Method = None,
    project: Project = None,
    env: Environment = None,
    path: SecretPath = None,
    recursive: Recursive = False,
    imports: Imports = True,
) -> None:
    """Print all secrets with their values for another program."""
    if format_name not in FORMATS:
        raise Misconfigured(
            f"There is no format '{format_name}'.", code="client.format", fix=f"Use one of {', '.join(FORMATS)}."
        )
    client = client_of(ctx, url, method, project, env, path)
    secret_set = _reader(client, client.source(recursive=recursive, imports=imports)).read().secret_set
    sys.stdout.write(format_values(secret_set.values, format_name).reveal())


def _reader(client: Client, source: Source) -> Reader:
    """Who asks by hand wants to know what the server says now, and no copy."""
    return client.reader(source, cached=False)


def _value(path: Path | None) -> Plaintext:
    try:
        if path is not None:
            return Plaintext(path.read_bytes().decode())
        text = sys.stdin.buffer.read().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"The value cannot be read: {type(error).__name__}.",
            code="client.value",
            fix="Give text in UTF-8; encode other content first, e.g. with base64.",
        ) from None
    return Plaintext(text.removesuffix("\n").removesuffix("\r"))
