"""``keyturn admin``: the first start, and help for people who are locked out. For the operator of the machine."""

import getpass
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from keyturn.app.startup import open_keyring, prepare_database
from keyturn.cli import people
from keyturn.cli.confirm import AsJson, Confirmation, Done, DryRun, Foreseen, Yes
from keyturn.cli.context import command_context, open_for_command, tell
from keyturn.cli.people import Email, OpenAccess
from keyturn.errors import Refused
from keyturn.kit.actor import platform
from keyturn.kit.ids import SystemIds
from keyturn.kit.secret import Plaintext

if TYPE_CHECKING:
    from keyturn.accounts.service import Access
    from keyturn.alarms.leavers import Held, Leavers, Leaving


FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
]


def commands(open_access: OpenAccess) -> typer.Typer:
    """Return the commands; ``open_access`` opens the accounts on the server's database for one of them."""
    app = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        help="Create the first user, invite, unlock and disable users, reset passwords and second factors.",
    )

    @app.command()
    def bootstrap(
        ctx: typer.Context,
        email: Email,
        organization: Annotated[str, typer.Option("--organization", help="The organization's name.")],
        password_stdin: FromStdin = False,
    ) -> None:
        """Make the first organization, its admin and an admin token. Works once; the token is printed once."""
        with open_access(ctx) as access:
            access.require_fresh()  # before anybody types a password for nothing
            first_start = access.bootstrap(email, _password(from_stdin=password_stdin), organization)
        tell(f"The organization '{first_start.organization.name}' is set up; {first_start.user.email} is its admin.")
        tell("The admin token, shown only now:")
        print(first_start.token.reveal())

    @app.command(name="setup-code")
    def setup_code(ctx: typer.Context) -> None:
        """Print a fresh set-up code for the page and the API of a server that is not set up yet. The one before ends."""
        with open_access(ctx, keys=True) as access:
            access.require_fresh()
            print(access.setup.renew().reveal())
        tell("Enter it on the page /setup of the server, or send it with POST /api/v1/admin/bootstrap.")

    @app.command(name="reset-password")
    def reset_password(ctx: typer.Context, email: Email, password_stdin: FromStdin = False) -> None:
        """Give a person a new password. Their access tokens and their sign-in lock end."""
        with open_access(ctx) as access:
            user = access.users.by_email(email)
            access.users.reset_password(user.email, _password(from_stdin=password_stdin))
        tell(f"The password of {user.email} was changed.")

    @app.command()
    def unlock(ctx: typer.Context, email: Email) -> None:
        """End a person's sign-in lock."""
        with open_access(ctx) as access:
            user = access.users.unlock(email)
        tell(f"{user.email} may try to sign in again.")

    _leaving(app, open_access)
    people.add_commands(app, open_access)
    return app


def _leaving(app: typer.Typer, open_access: OpenAccess) -> None:
    @app.command()
    def disable(
        ctx: typer.Context,
        email: Email,
        new_owner: Annotated[
            str,
            typer.Option("--new-owner", help="Who answers from then on for what they answered for: an e-mail address."),
        ] = "",
        dry_run: DryRun = False,
        yes: Yes = False,
        as_json: AsJson = False,
    ) -> None:
        """End all that a person can do: sessions, access tokens, sign-ins. `enable` takes it back."""
        wanted = Confirmation(dry_run, yes, as_json)
        with open_access(ctx) as access, _open_leavers(ctx) as leavers:
            user = access.users.by_email(email)
            heir = access.users.by_email(new_owner).id if new_owner else None
            operator = platform(user.org_id)

            def disable() -> Done:
                left = leavers.disable(operator, user.id, heir)
                return Done(
                    f"{user.email} is disabled. Handed over to {new_owner or 'nobody'}: {_names(left.owned)}.",
                    _facts(left),
                )

            wanted.carry_out(_foreseen(leavers.of(operator, user.id), new_owner), disable)

    @app.command()
    def enable(ctx: typer.Context, email: Email) -> None:
        """Let a disabled person sign in again."""
        with open_access(ctx) as access, _open_leavers(ctx) as leavers:
            user = access.users.by_email(email)
            leavers.enable(platform(user.org_id), user.id)
        tell(f"{user.email} can sign in again.")


def _foreseen(leaving: "Leaving", new_owner: str) -> Foreseen:
    lines = ["their sessions and access tokens end at once, and no sign-in succeeds"]
    if leaving.owned:
        lines.append(f"{new_owner or 'nobody'} answers from then on for {_names(leaving.owned)}")
    if leaving.signed_in:
        lines.append(f"somebody who stays has to sign in again for the connections: {_names(leaving.signed_in)}")
    return Foreseen(f"Disable {leaving.user.email}", lines, _facts(leaving))


def _facts(leaving: "Leaving") -> dict[str, list[str]]:
    return {"owned": [each.name for each in leaving.owned], "signedIn": [each.name for each in leaving.signed_in]}


def _names(things: Sequence["Held"]) -> str:
    return ", ".join(one.name for one in things) or "nothing"


def _password(*, from_stdin: bool) -> Plaintext:
    """Ask for a password without echo, twice. Never taken from the arguments: other users of the machine see those."""
    if from_stdin:
        return Plaintext(sys.stdin.readline().rstrip("\r\n"))
    if not sys.stdin.isatty():
        raise Refused(
            "There is no terminal on which to ask for the password.",
            code="access.no_terminal",
            fix="Give the password on standard input, with --password-stdin.",
        )
    # getpass asks on the terminal itself, so that standard output holds the token only.
    password = Plaintext(getpass.getpass("Password: "))
    if Plaintext(getpass.getpass("Repeat the password: ")) != password:
        raise Refused("The two passwords differ.", code="access.passwords_differ", fix="Run the command again.")
    return password


@contextmanager
def _open_access(ctx: typer.Context, *, keys: bool = False) -> Iterator["Access"]:
    from keyturn.accounts.service import Access  # noqa: PLC0415 - the help is shown without it
    from keyturn.crypto.keyring import KeyringDigests  # noqa: PLC0415

    around = command_context(ctx)
    settings = around.settings()
    with open_for_command(settings, new=True) as database:
        prepare_database(settings, database, around.clock, tell)
        keyring = open_keyring(settings, database, around.clock, tell)
        yield Access(database, around.clock, SystemIds(), digests=KeyringDigests(keyring) if keys else None)


@contextmanager
def _open_leavers(ctx: typer.Context) -> Iterator["Leavers"]:
    from keyturn.alarms.leavers import Leavers  # noqa: PLC0415 - only two of these commands need it

    around = command_context(ctx)
    settings = around.settings()
    with open_for_command(settings) as database:
        open_keyring(settings, database, around.clock, tell)
        yield Leavers(database, around.clock)


app = commands(_open_access)
