"""``keyturn login``: sign in as a machine identity and print the access token."""

import typer

from keyturn.cli.client_options import Method, Url, client_of
from keyturn.cli.context import tell

app = typer.Typer(rich_markup_mode=None)


@app.command()
def login(ctx: typer.Context, url: Url = None, method: Method = None) -> None:
    """Sign in and print an access token. Who signs in is told by KEYTURN_CLIENT_ID and KEYTURN_CLIENT_SECRET_FILE, or by
    KEYTURN_IDENTITY_ID and a token of the platform."""
    token = client_of(ctx, url, method).server.sign_in()
    tell("Signed in. Keep the token from others: export KEYTURN_TOKEN=$(keyturn login)")
    print(token.reveal())
