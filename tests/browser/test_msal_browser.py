"""@azure/msal-browser, unmodified, in Chromium: a page of another origin signs in by code and PKCE, and asks Graph."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, expect

from entra_emulator import Emulator, SystemClock
from entra_emulator.server.server import run_in_thread
from tests.emulator.test_with_other_languages import node_modules
from tests.system.test_other_sdks import program

pytestmark = [pytest.mark.client, pytest.mark.compiled]

PAGE = """<!doctype html><title>page</title><output></output><script src="/msal.js"></script><script>
const given = %s;
const show = (text) => { document.querySelector("output").textContent = text; };
async function begin() {
  const auth = { clientId: given.client, authority: given.authority, knownAuthorities: [given.host], redirectUri: given.place };
  const app = await msal.createStandardPublicClientApplication({ auth });
  const back = await app.handleRedirectPromise();
  const scopes = ["https://graph.microsoft.com/User.Read"];
  if (!back) return app.loginRedirect({ scopes });
  const again = await app.acquireTokenSilent({ account: back.account, scopes, forceRefresh: true });
  if (again.accessToken === back.accessToken) throw new Error("the refresh token gave the same token");
  const headers = { Authorization: `Bearer ${again.accessToken}` };
  const me = await (await fetch(`${given.graph}/me`, { headers })).json();
  show(`${me.displayName} as ${back.account.username}`);
}
begin().catch((error) => show(`failed: ${error}`));
</script>"""


@contextmanager
def served(files: dict[str, bytes]) -> Iterator[str]:
    """Serve the page and its library, which are added once the address is known that this yields."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in files else 404)
            self.send_header("Content-Type", "text/javascript" if self.path.endswith(".js") else "text/html")
            self.end_headers()
            self.wfile.write(files.get(self.path, b""))

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}/"
        server.shutdown()


def test_a_page_of_another_origin_signs_in_and_reads_graph(chromium: Browser) -> None:
    library = node_modules(program("npm")) / "node_modules" / "@azure" / "msal-browser" / "lib" / "msal-browser.min.js"
    emulator = Emulator(SystemClock(), seed=7)
    tenant = emulator.admin.create_tenant("Contoso")
    emulator.admin.create_user(tenant, "Uri User")
    app = emulator.admin.create_application(tenant, "page", secrets=0, scopes=("User.Read",))
    files: dict[str, bytes] = {"/msal.js": library.read_bytes()}
    with (
        run_in_thread(emulator) as running,
        served(files) as place,
        chromium.new_context(ignore_https_errors=True) as context,
    ):
        emulator.admin.set_redirect_uris(app.object_id, place, platform="spa")
        host = running.authority.removeprefix("https://")
        given = {"client": app.app_id, "authority": f"{running.authority}/{tenant}", "host": host, "place": place}
        files["/"] = (PAGE % json.dumps(given | {"graph": running.graph})).encode()
        page = context.new_page()
        page.goto(place)
        page.get_by_role("button", name="Uri User").click()
        page.get_by_role("button", name="Accept").click()
        expect(page.locator("output")).to_have_text("Uri User as Uri.User@contoso.onmicrosoft.com")
