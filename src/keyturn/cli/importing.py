"""``keyturn import``: takes over what another server holds. For the operator of the machine."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keyturn.cli.context import CommandContext, command_context, open_for_command, tell
from keyturn.errors import Misconfigured
from keyturn.kit.secret import Plaintext

if TYPE_CHECKING:
    from keyturn.db.unit import Database
    from keyturn.importing.client import UniversalAuth
    from keyturn.importing.ledger import ImportOptions
    from keyturn.importing.report import Report
    from keyturn.importing.service import InfisicalImport
    from keyturn.kit.actor import Actor
    from keyturn.settings.model import Settings

_LONGEST = 16 * 1024
"""Characters of a token or client secret."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Take over the secrets that another server holds.")


@app.callback()
def _group() -> None:
    """Take over the secrets that another server holds."""


@app.command()
def infisical(
    ctx: typer.Context,
    person: Annotated[
        str, typer.Option("--as", help="E-mail address of the person here who imports: with their permissions.")
    ],
    url: Annotated[
        str, typer.Option("--url", help="Address of the Infisical server. Default: INFISICAL_DOMAIN or INFISICAL_HOST.")
    ] = "",
    project: Annotated[
        list[str] | None,
        typer.Option("--project", help="Slug of a project; SLUG=OTHER gives it another slug here. Default: all."),
    ] = None,
    client_id: Annotated[
        str, typer.Option("--client-id", help="Of a machine identity. Default: INFISICAL_UNIVERSAL_AUTH_CLIENT_ID.")
    ] = "",
    client_secret_file: Annotated[
        str,
        typer.Option(
            "--client-secret-file",
            help="File with its client secret, - for standard input. Default: INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET.",
        ),
    ] = "",
    token_file: Annotated[
        str,
        typer.Option(
            "--token-file", help="File with an access token instead, - for standard input. Default: INFISICAL_TOKEN."
        ),
    ] = "",
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", help="Certificates in PEM form to trust, too, for the Infisical server.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report what would be done.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over what is different here.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of a table.")] = False,
) -> None:
    """Bring projects, environments, folders, secrets, tags and imports from an Infisical server. Safe to repeat.

    What is here and equal stays; what is different stays, too, unless --overwrite is given. Exit status 1 when something
    does not come over as it is there; the report says what and why.
    """
    from keyturn.importing.ledger import ImportOptions  # noqa: PLC0415 - the help is shown without it

    around = command_context(ctx)
    given = around.environ
    address = url or given.get("INFISICAL_DOMAIN") or given.get("INFISICAL_HOST") or ""
    identity = _identity(given, client_id, client_secret_file, token_file)
    options = ImportOptions(_slugs(project or []), dry_run, overwrite)
    settings = around.settings()
    with (
        open_for_command(settings, new=True) as database,
        _prepared(around, settings, database, person, address, identity, ca_file, options) as run,
    ):
        try:
            run.run()
        finally:
            _show(run.report, as_json=as_json)
    raise typer.Exit(0 if run.report.complete else 1)


@contextmanager
def _prepared(
    around: CommandContext,
    settings: "Settings",
    database: "Database",
    person: str,
    url: str,
    identity: "UniversalAuth | Plaintext",
    ca_file: Path | None,
    options: "ImportOptions",
) -> Iterator["InfisicalImport"]:
    from keyturn.app.startup import open_keyring, prepare_database  # noqa: PLC0415
    from keyturn.crypto.keyring import KeyringSealer  # noqa: PLC0415
    from keyturn.importing.client import SourceClient  # noqa: PLC0415
    from keyturn.importing.service import InfisicalImport  # noqa: PLC0415
    from keyturn.importing.source import InfisicalSource  # noqa: PLC0415
    from keyturn.kit.ids import SystemIds  # noqa: PLC0415
    from keyturn.projects.service import Projects  # noqa: PLC0415
    from keyturn.providers.transport import HttpTransport  # noqa: PLC0415
    from keyturn.secrets.service import Secrets  # noqa: PLC0415

    ids = SystemIds()
    prepare_database(settings, database, around.clock, tell)
    sealer = KeyringSealer(open_keyring(settings, database, around.clock, tell))
    transport = HttpTransport(ca_file=ca_file or settings.ca_file, guard=partial(_outside, database), name="import")
    client = SourceClient(transport, url, identity, around.clock, pause=time.sleep, tell=tell)
    if client.url.startswith("http://"):
        tell(f"WARNING: {client.url} is asked without TLS: who is on the way reads all secrets.")
    try:
        yield InfisicalImport(
            InfisicalSource(client),
            Projects(database, around.clock, ids, quotas=settings.quotas),
            Secrets(database, sealer, around.clock, ids),
            _actor(around, database, person),
            options,
            tell,
        )
    finally:
        transport.close()


def _outside(database: "Database") -> None:
    if database.in_transaction:
        raise RuntimeError("a network call inside a database transaction")


def _actor(around: CommandContext, database: "Database", person: str) -> "Actor":
    from keyturn.accounts.service import Access  # noqa: PLC0415
    from keyturn.kit.ids import SystemIds  # noqa: PLC0415
    from keyturn.people.domain import person_actor  # noqa: PLC0415

    return person_actor(Access(database, around.clock, SystemIds()).users.by_email(person))


def _show(report: "Report", *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.as_json(), indent=2))
        return
    for line in report.lines():
        print(line)


# --- what is given ----------------------------------------------------------------------------------------------------


def _slugs(projects: list[str]) -> dict[str, str]:
    """Return the slugs there with those here."""
    pairs = [each.partition("=") for each in projects]
    return {there.strip(): (here if mark else there).strip() for there, mark, here in pairs}


def _identity(
    given: Mapping[str, str], client_id: str, client_secret_file: str, token_file: str
) -> "UniversalAuth | Plaintext":
    """Return who signs in there. Secrets come from files and the environment: other users of the machine see arguments."""
    from keyturn.importing.client import UniversalAuth  # noqa: PLC0415

    if token_file:
        return _read(token_file)
    of_client = client_id or client_secret_file
    if given.get("INFISICAL_TOKEN") and not of_client:
        return Plaintext(given["INFISICAL_TOKEN"].strip())
    known_id = client_id or given.get("INFISICAL_UNIVERSAL_AUTH_CLIENT_ID", "")
    secret = given.get("INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET", "").strip()
    client_secret = _read(client_secret_file) if client_secret_file else Plaintext(secret)
    if not known_id or not len(client_secret):
        raise Misconfigured(
            "It is not said who signs in to the Infisical server.",
            code="import.no_identity",
            fix="Give --client-id and --client-secret-file of a machine identity, or --token-file; or set "
            "INFISICAL_UNIVERSAL_AUTH_CLIENT_ID and INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET, or INFISICAL_TOKEN.",
        )
    return UniversalAuth(known_id, client_secret)


def _read(name: str) -> Plaintext:
    """Return the first line of a file, of standard input for ``-``."""
    try:
        if name == "-":
            line = sys.stdin.readline(_LONGEST)
        else:
            with Path(name).open(encoding="utf-8") as file:
                line = file.readline(_LONGEST)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Misconfigured(
            f"The file {name} cannot be read: {reason}.", code="import.unreadable_file", fix="Name another file."
        ) from None
    if not line.strip():
        raise Misconfigured(
            f"{name} holds nothing.", code="import.empty_file", fix="Write the secret into its first line."
        )
    return Plaintext(line.strip())
