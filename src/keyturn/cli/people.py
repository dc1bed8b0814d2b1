"""The part of ``keyturn admin`` that lets people in: invitations, links for a new password, lost phones."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from keyturn.cli.context import command_context, open_for_command, tell
from keyturn.errors import Refused
from keyturn.kit.actor import Actor, Role, platform

if TYPE_CHECKING:
    from keyturn.accounts.service import Access
    from keyturn.projects.domain import GivenRole
    from keyturn.projects.service import Projects
    from keyturn.provisioning.invitations import Invitations


class OpenAccess(Protocol):
    def __call__(self, ctx: typer.Context, /, *, keys: bool = False) -> AbstractContextManager["Access"]:
        """Open it; with ``keys``, so that digests can be made, too."""
        ...


Email = Annotated[str, typer.Option("--email", help="The person's e-mail address.")]


def add_commands(app: typer.Typer, open_access: OpenAccess) -> None:
    """Add the commands to those of ``keyturn admin``."""

    @app.command()
    def invite(
        ctx: typer.Context,
        email: Email,
        role: Annotated[Role, typer.Option("--role", help="Their role in the organization.")] = Role.MEMBER,
        project: Annotated[
            list[str] | None,
            typer.Option("--project", help="Slug of a project to work in, and the role there: payments=viewer."),
        ] = None,
        hours: Annotated[int, typer.Option("--hours", min=1, max=720, help="How long the link works.")] = 168,
    ) -> None:
        """Add a person who chooses a password with a link that works once, and print that link."""
        from keyturn.provisioning.invitations import NewInvitation  # noqa: PLC0415 - the help is shown without it

        with open_access(ctx) as access, _open_invitations(ctx, access) as (invitations, projects):
            operator = platform(access.only_organization().id)
            given = [_project(projects, operator, text) for text in project or ()]
            new = NewInvitation(email, role, projects=given, lives=timedelta(hours=hours))
            sent = invitations.invite(operator, new)
        tell(f"{sent.user.email} is invited. With this link they choose their password; it is shown only now:")
        print(sent.address.reveal())

    @app.command(name="password-link")
    def password_link(ctx: typer.Context, email: Email) -> None:
        """Print a link with which a person chooses a new password. It works once, for a day; the old password until then."""
        with open_access(ctx) as access, _open_invitations(ctx, access) as (invitations, _):
            user = access.users.by_email(email)
            sent = invitations.send_password_link(platform(user.org_id), user.id)
        tell(f"With this link {user.email} chooses a new password. It is shown only now:")
        print(sent.address.reveal())

    @app.command(name="reset-second-factor")
    def reset_second_factor(ctx: typer.Context, email: Email) -> None:
        """Turn a person's two-step sign-in off: the phone is lost, and so are the recovery codes. They are signed out."""
        with open_access(ctx) as access:
            user = access.users.by_email(email)
            access.administration.remove_second_factor(platform(user.org_id), user.id)
        tell(f"Two-step sign-in of {user.email} is off.")

    _policy(app, open_access)
    _provisioning(app, open_access)


def _provisioning(app: typer.Typer, open_access: OpenAccess) -> None:
    @app.command(name="scim-token")
    def scim_token(
        ctx: typer.Context,
        name: Annotated[str, typer.Option("--name", help="Who uses it, such as Entra ID.")],
        days: Annotated[int, typer.Option("--days", min=0, max=3650, help="When it ends; 0: never.")] = 365,
    ) -> None:
        """Print a token with which an identity provider provisions users and groups (SCIM). It is printed once."""
        from keyturn.app.startup import open_keyring  # noqa: PLC0415
        from keyturn.kit.ids import SystemIds  # noqa: PLC0415
        from keyturn.provisioning.scim.tokens import ScimTokens  # noqa: PLC0415

        around = command_context(ctx)
        settings = around.settings()
        with open_access(ctx) as access, open_for_command(settings) as database:
            open_keyring(settings, database, around.clock, tell)
            operator = platform(access.only_organization().id)
            tokens = ScimTokens(database, around.clock, SystemIds(), secrets.token_bytes)
            token, secret = tokens.create(operator, name, timedelta(days=days) if days else None)
        tell(f"The token of '{token.name}', shown only now:")
        print(secret.reveal())


def _policy(app: typer.Typer, open_access: OpenAccess) -> None:
    @app.command(name="second-factor-policy")
    def second_factor_policy(
        ctx: typer.Context,
        required: Annotated[bool, typer.Option("--required/--optional", help="Whether everybody needs one.")],
    ) -> None:
        """Say whether everybody needs a second factor who signs in with a password. They set it up at the next sign-in."""
        with open_access(ctx) as access:
            operator = platform(access.only_organization().id)
            access.second_factor_policy.change(operator, required=required)
        tell("Everybody needs a second factor." if required else "Nobody needs a second factor.")


def _project(projects: "Projects", operator: Actor, text: str) -> "tuple[str, Sequence[GivenRole]]":
    from keyturn.projects.domain import GivenRole  # noqa: PLC0415

    slug, _, role = text.partition("=")
    if not slug:
        raise Refused("--project names no project.", code="projects.unnamed", fix="Write it as payments=viewer.")
    return projects.by_slug(operator, slug).id, [GivenRole(role or Role.VIEWER.value)]


@contextmanager
def _open_invitations(ctx: typer.Context, access: "Access") -> Iterator["tuple[Invitations, Projects]"]:
    from keyturn.app.startup import open_keyring  # noqa: PLC0415
    from keyturn.kit.ids import SystemIds  # noqa: PLC0415
    from keyturn.projects.service import Projects  # noqa: PLC0415
    from keyturn.provisioning.invitations import Invitations  # noqa: PLC0415

    around = command_context(ctx)
    settings = around.settings()
    with open_for_command(settings) as database:
        open_keyring(settings, database, around.clock, tell)
        projects, people = Projects(database, around.clock, SystemIds()), access.administration
        site = settings.site_url or f"http://{settings.host}:{settings.port}"
        made = Invitations(
            database, around.clock, access.users, access.links, people, projects.members, site, mailer=None
        )
        yield made, projects
