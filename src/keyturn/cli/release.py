"""``keyturn release``: confirms that nobody uses a secret of an application any more, so that it is removed."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from keyturn.cli import named, previews
from keyturn.cli.client_options import Method, Project, Url, client_of
from keyturn.cli.confirm import AsJson, Confirmation, Done, DryRun, Foreseen, Reason, Yes, request_sentence
from keyturn.errors import KeyturnError, NotFound, Refused
from keyturn.kit.sentences import upper_first

app = typer.Typer(rich_markup_mode=None)


@app.command(
    help="Confirm that nobody uses a secret that was handed over, or that waits until it is not used: it is removed from Entra "
    "ID. Says who holds it, and asks. Exit statuses are those of `keyturn delete`."
)
def release(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the secret rotation in its project, or its id.")],
    key_id: Annotated[str, typer.Argument(help="Id of the secret at Entra ID.")],
    in_use: Annotated[bool, typer.Option("--in-use", help="Although somebody holds it, or is seen to use it.")] = False,
    reason: Reason = "",
    url: Url = None,
    method: Method = None,
    project: Project = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    wanted, client = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method, project)
    one = named.rotation(client.server, name, named.project_of(client, name))
    secrets = client.server.ask("GET", f"{one.path}/consumers")["secrets"]
    facts = next((each for each in secrets if each["keyId"] == key_id), None)
    if facts is None:
        known = ", ".join(each["keyId"] for each in secrets if each["keyId"]) or "none"
        raise NotFound(
            f"{upper_first(one.words)} has no secret with the id '{key_id}'.",
            code="client.not_found",
            fix=f"Its secrets: {known}.",
        )

    def remove() -> Done:
        body = {"keyId": key_id, "confirmed": in_use} | ({"approvalReason": reason} if reason else {})
        answer = client.server.ask("POST", f"{one.path}/release", body=body)
        return Done(request_sentence(answer) or "The secret is being removed from Entra ID.", answer)

    foreseen = Foreseen(
        f"Remove the secret {key_id} of {one.words}", previews.of_release(facts), facts, _refused(facts, in_use=in_use)
    )
    wanted.carry_out(foreseen, remove)


def _refused(facts: Mapping[str, Any], *, in_use: bool) -> KeyturnError | None:
    if not facts["holding"] or in_use:
        return None
    return Refused(
        f"{facts['holding']} of {facts['total']} who read it hold it still.",
        code="client.in_use",
        fix="Let them read the new one first, or add --in-use: then they stop signing in.",
    )
