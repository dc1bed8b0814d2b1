"""The checks of ``keyturn doctor`` of how browsers reach this server; a start tells what fails, too."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from keyturn.cli.finding import CheckupFinding, ok
from keyturn.settings.model import Settings

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def examine_site(settings: Settings) -> Iterator[CheckupFinding]:
    """SITE_URL and the OAuth application."""
    url = settings.site_url
    if url is not None and url.startswith("http://") and urlsplit(url).hostname not in _LOOPBACK:
        fix = "Put a proxy with TLS in front of Keyturn and give its https:// address."
        yield CheckupFinding("warn", "site", "SITE_URL is plain http: sign-ins and secrets travel in the clear.", fix)
    elif url is not None:
        yield ok("site", f"Browsers reach this server at {url}.")
    settings_present = (settings.oauth_client_id is not None, settings.oauth_client_secret is not None)
    prefix = "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS"
    if settings_present == (False, False):
        yield ok("oauth", "Connections by OAuth are off; those by client secret work without.")
    elif settings_present != (True, True):
        fix = f"Set both {prefix}_CLIENT_ID and {prefix}_CLIENT_SECRET, or neither."
        yield CheckupFinding("fail", "oauth", "The OAuth application has only one of client id and client secret.", fix)
    elif url is None:
        fix = "Set SITE_URL to this server's public address: the redirect address is built from it."
        yield CheckupFinding("fail", "oauth", "The OAuth application is given, but SITE_URL is not.", fix)
    else:
        redirect = f"{url}/organization/app-connections/azure/oauth/callback"
        yield ok("oauth", f"The Entra application must have this redirect address (type Web): {redirect}")
