"""``keyturn uses``: which secrets that were replaced are still used, by whom, and what that is known from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keyturn.cli.context import command_context, open_for_command, say, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyturn.rotations.evidence.overview import ReplacedSecret

app = typer.Typer(rich_markup_mode=None)


@app.command(
    help="Say of each secret that was replaced whether it is still used, by whom, and what that is known from. Changes nothing."
)
def uses(
    ctx: typer.Context,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON; `evidence` as GET /api/v2/secret-rotations/.../consumers has it."),
    ] = False,
) -> None:
    from keyturn.app.startup import require_current  # noqa: PLC0415 - the help is shown without it
    from keyturn.rotations.evidence.overview import replaced_secrets  # noqa: PLC0415

    around = command_context(ctx)
    settings = around.settings()
    with open_for_command(settings) as database:
        require_current(database)
        with database.read() as tx:
            found = replaced_secrets(tx, around.clock.now())
    if as_json:
        print(json.dumps([_as_json(each) for each in found], indent=2))
        return
    for each in found:
        for line in _lines(each):
            say(line)
    if not found:
        tell("No secret that was replaced waits for its removal.")


def _as_json(each: ReplacedSecret) -> dict[str, Any]:
    from keyturn.api.rotations.evidence_views import evidence, present_reported_use  # noqa: PLC0415 - only this way of printing needs it
    from keyturn.kit.clock import iso_or_none  # noqa: PLC0415
    from keyturn.web.schema.wire import encode  # noqa: PLC0415

    return {
        "rotation": each.rotation.name,
        "applicationName": each.rotation.application_name,
        "clientId": each.rotation.app_id,
        "keyId": each.credential.key_id,
        "state": each.credential.state.value,
        "removedAt": iso_or_none(each.goes_at),
        "evidence": json.loads(encode(evidence(each.verdict))),
        "reported": json.loads(encode(present_reported_use(each.observed, each.why_silent))),
    }


def _lines(each: ReplacedSecret) -> Iterator[str]:
    verdict, row = each.verdict, each.credential
    since = f", {verdict.since:%Y-%m-%d %H:%M} UTC" if verdict.since else ""
    sources = f" ({', '.join(source.value for source in verdict.sources)})" if verdict.sources else ""
    kind = f", by {each.observed.credential_kind}" if each.observed.credential_kind else ""
    goes = f"; goes {each.goes_at:%Y-%m-%d %H:%M} UTC" if each.goes_at else ""
    yield f"{verdict.kind.value:22} {each.rotation.application_name} {row.key_id}{since}{sources}{kind}{goes}"
    for user in verdict.users:
        yield f"{'':22} {user.address or 'no address'} {user.resource}, last {user.pace.last_at:%Y-%m-%d %H:%M} UTC"
    for trouble in verdict.troubles:
        yield f"{'':22} {trouble.reason.value}: {trouble.message}"
        if trouble.fix:
            yield f"{'':22} -> {trouble.fix}"
    for refused in each.observed.refused:
        when = f"last {refused.last_at:%Y-%m-%d %H:%M} UTC"
        yield f"{'':22} refused since its removal: {refused.address} {refused.resource} (AADSTS{refused.error}), {when}"
