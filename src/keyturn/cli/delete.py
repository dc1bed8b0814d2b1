"""``keyturn delete``: deletes what a server holds, once it is said what goes with it."""

from collections.abc import Mapping
from typing import Annotated

import typer

from keyturn.cli import named, previews, secrets
from keyturn.cli.client_options import Environment, Method, Project, Url, client_of
from keyturn.cli.confirm import AsJson, Confirmation, Done, DryRun, Foreseen, Reason, Yes, request_sentence
from keyturn.client.opening import Client
from keyturn.errors import Refused
from keyturn.kit.sentences import upper_first

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Delete what a server holds: each says what goes with it, and asks. Exit status: 0 done, or possible with --dry-run; "
    "1 refused, or not confirmed; 2 nobody can be asked; 69 the server does not answer; 77 it does not permit it.",
)
app.command(name="secret")(secrets.delete)

EndRotations = Annotated[
    bool,
    typer.Option("--end-secret-rotations", help="The secret rotations in it end, too: what they made stays valid."),
]
OfProject = Annotated[
    str | None,
    typer.Option("--project", "--projectId", help="Id or slug of its project; without it: the organization's."),
]


@app.command()
def project(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Slug or id of the project.")],
    end_rotations: EndRotations = False,
    url: Url = None,
    method: Method = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a project with all that is in it. It can be restored for seven days."""
    wanted, client = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method)
    one = named.project(client.server, name)
    _delete_place(client, wanted, one, {"projectId": one.facts["id"]}, end_rotations=end_rotations)


@app.command()
def environment(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(help="Slug of the environment.")],
    end_rotations: EndRotations = False,
    url: Url = None,
    method: Method = None,
    project: Project = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete an environment of a project with all that is in it. It can be restored for seven days."""
    wanted, client = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method, project)
    of = named.project(client.server, client.settings.need("project", "--project"))
    one = named.environment(client.server, of, slug)
    where = {"projectId": of.facts["id"], "environmentId": one.facts["id"]}
    _delete_place(client, wanted, one, where, end_rotations=end_rotations)


@app.command()
def folder(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(help="Path of the folder, e.g. /billing.")],
    end_rotations: EndRotations = False,
    url: Url = None,
    method: Method = None,
    project: Project = None,
    env: Environment = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a folder with all that is in it and below it. It can be restored for seven days."""
    wanted, client = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method, project, env)
    of = named.project(client.server, client.settings.need("project", "--project"))
    one = named.folder(client.server, of, client.settings.need("environment", "--env"), path)
    where = {"projectId": of.facts["id"], "folderId": one.facts["id"]}
    _delete_place(client, wanted, one, where, end_rotations=end_rotations)


def _delete_place(
    client: Client, wanted: Confirmation, one: named.Named, where: Mapping[str, str], *, end_rotations: bool
) -> None:
    lines, facts = previews.of_place(client.server, where)
    refused = None if end_rotations else previews.ends_rotations(facts)

    def delete() -> Done:
        body = {**where, "endSecretRotations": end_rotations}
        answer = client.server.ask("POST", "/api/v1/deletions", body=body)
        until = answer["deletion"]["restorableUntil"][:10]
        return Done(f"Deleted {one.words}. It can be restored until {until}, on its project's page.", answer)

    wanted.carry_out(Foreseen(f"Delete {one.words}", lines, facts, refused), delete)


@app.command()
def rotation(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the secret rotation in its project, or its id.")],
    delete_secrets: Annotated[
        bool, typer.Option("--delete-secrets", help="Its two secrets go, too; else they stay as ordinary ones.")
    ] = False,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Remove from Entra ID what was made there; else that works until it ends.")
    ] = False,
    reason: Reason = "",
    url: Url = None,
    method: Method = None,
    project: Project = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a secret rotation: the secret of its application is not replaced any more."""
    wanted, client = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method, project)
    one = named.rotation(client.server, name, named.project_of(client, name))
    how = {"deleteSecrets": _flag(delete_secrets), "revokeGeneratedCredentials": _flag(revoke)}
    facts = client.server.ask("GET", f"{one.path}/preview", {"change": "deletion", **how})

    def delete() -> Done:
        answer = client.server.ask("DELETE", one.path, how | _reason(reason))
        return Done(request_sentence(answer) or f"Deleted {one.words}.", answer)

    wanted.carry_out(Foreseen(f"Delete {one.words}", previews.of_rotation(facts), facts), delete)


@app.command()
def connection(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name or id of the app connection.")],
    revoke: Annotated[
        bool | None,
        typer.Option(
            "--revoke/--keep", help="Remove all its secrets from Entra ID, or none. Default: those made here."
        ),
    ] = None,
    reason: Reason = "",
    url: Url = None,
    method: Method = None,
    project: OfProject = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete an app connection. This cannot be undone."""
    wanted, client = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method)
    one = named.connection(client.server, name, named.project(client.server, project) if project else None)
    how = {} if revoke is None else {"revokeCredentials": _flag(revoke)}
    facts = client.server.ask("GET", f"{one.path}/preview", {"change": "deletion", **how})

    def delete() -> Done:
        answer = client.server.ask("DELETE", one.path, how | _reason(reason))
        return Done(request_sentence(answer) or f"Deleted {one.words}.", answer)

    foreseen = Foreseen(f"Delete {one.words}", previews.of_connection(facts), facts, previews.rotated_through(facts))
    wanted.carry_out(foreseen, delete)


@app.command()
def identity(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name or id of the machine identity.")],
    url: Url = None,
    method: Method = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a machine identity: its programs are refused at once. This cannot be undone."""
    wanted, client = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method)
    one = named.identity(client.server, name)
    lines, facts = previews.of_identity(client.server, one)
    _delete(client, wanted, one, Foreseen(f"Delete {one.words}", lines, facts, _protected(one)), {})


@app.command()
def user(
    ctx: typer.Context,
    email: Annotated[str, typer.Argument(help="E-mail address of the user.")],
    new_owner: Annotated[
        str, typer.Option("--new-owner", help="Who answers from then on for what they answered for: an e-mail address.")
    ] = "",
    url: Url = None,
    method: Method = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a user. This cannot be undone; `keyturn admin disable` can."""
    wanted, client = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method)
    one = named.user(client.server, email)
    heir = {"newOwnerId": named.user(client.server, new_owner).facts["id"]} if new_owner else {}
    lines, facts = previews.of_user(client.server, one)
    lines.append(f"from then on {new_owner} answers for that" if new_owner else "nobody answers for that from then on")
    _delete(client, wanted, one, Foreseen(f"Delete {one.words}", lines, facts), heir)


def _delete(
    client: Client, wanted: Confirmation, one: named.Named, foreseen: Foreseen, query: Mapping[str, str]
) -> None:
    def delete() -> Done:
        return Done(f"Deleted {one.words}.", client.server.ask("DELETE", one.path, query))

    wanted.carry_out(foreseen, delete)


def _protected(one: named.Named) -> Refused | None:
    if not one.facts["hasDeleteProtection"]:
        return None
    return Refused(
        f"{upper_first(one.words)} is protected against deletion.",
        code="client.protected",
        fix="Turn that off on its page first.",
    )


def _flag(on: bool) -> str:
    return "true" if on else "false"


def _reason(reason: str) -> dict[str, str]:
    return {"approvalReason": reason} if reason else {}
