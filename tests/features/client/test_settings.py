"""What the client is told by its environment, and how it signs in with it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from keyturn.client.domain import Outage
from keyturn.client.settings import read_settings
from keyturn.client.sign_in import sign_in_of
from keyturn.errors import Misconfigured

URL = {"KEYTURN_URL": "https://keyturn.example"}


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://keyturn.example/", "https://keyturn.example"),
        ("https://keyturn.example/api", "https://keyturn.example"),
        ("https://keyturn.example/keys/api/", "https://keyturn.example/keys"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        (" http://localhost:8080 ", "http://localhost:8080"),
    ],
)
def test_addresses_as_people_write_them(address: str, url: str) -> None:
    assert read_settings({"KEYTURN_URL": address}, {}).url == url


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("keyturn.example", "not one that begins with https"),
        ("https://user:pw@keyturn.example", "not one that begins with https"),
        ("https://keyturn.example:x", "not one that begins with https"),
        ("https://keyturn..example", "not one that begins with https"),
        (f"https://{'k' * 64}.example", "not one that begins with https"),
        ("http://keyturn.example", "would send secrets over the network as they are"),
    ],
)
def test_addresses_that_are_refused(address: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as refused:
        read_settings({"KEYTURN_URL": address}, {})
    assert "pw" not in refused.value.diagnostics().replace("https://keyturn", "")
    assert refused.value.fix


def test_names_of_the_other_command_line_are_taken_and_ours_count_more() -> None:
    theirs = {
        "INFISICAL_API_URL": "https://other.example/api",
        "INFISICAL_UNIVERSAL_AUTH_CLIENT_ID": "theirs",
        "INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET": "kt-canary",
    }
    sign_in = sign_in_of(read_settings(theirs, {}))
    assert (sign_in.method, sign_in.identity) == ("universal-auth", "theirs")
    assert sign_in.body() == {"clientId": "theirs", "clientSecret": "kt-canary"}
    assert "canary" not in repr((sign_in, read_settings(theirs, {})))
    ours = read_settings(theirs | URL | {"KEYTURN_CLIENT_ID": "ours"}, {"url": "https://option.example"})
    assert (ours.url, ours.get("client_id")) == ("https://option.example", "ours")


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({}, "KEYTURN_CLIENT_ID"),
        ({"KEYTURN_CLIENT_ID": "a"}, "KEYTURN_CLIENT_SECRET_FILE"),
        ({"KEYTURN_AUTH_METHOD": "ldap"}, "kubernetes-auth"),
        ({"KEYTURN_AUTH_METHOD": "oidc-auth"}, "KEYTURN_IDENTITY_ID"),
        ({"KEYTURN_CLIENT_ID": "a", "KEYTURN_CLIENT_SECRET_FILE": "/no/such"}, "readable"),
    ],
)
def test_what_is_missing_is_named(variables: dict[str, str], names: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        sign_in_of(read_settings(URL | variables, {})).body()
    assert names in str(refused.value.fix)


@pytest.mark.parametrize("token", ["kt-c\u0430nary", "kt-canary\u2026", "kt canary", "kt\ncanary"])
def test_a_token_that_was_changed_where_it_was_copied_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(Misconfigured, match="holds blanks or letters") as refused:
        read_settings(URL | {"KEYTURN_TOKEN": token}, {})
    assert "canary" not in refused.value.diagnostics()
    assert read_settings(URL | {"KEYTURN_TOKEN": "\ufeff kt-canary\n"}, {}).secrets["token"].reveal() == "kt-canary"


def test_a_token_of_the_platform_is_read_anew_for_each_sign_in(tmp_path: Path) -> None:
    file = tmp_path / "token"
    variables = {"KEYTURN_AUTH_METHOD": "kubernetes-auth", "KEYTURN_IDENTITY_ID": "i", "KEYTURN_JWT_FILE": str(file)}
    sign_in = sign_in_of(read_settings(URL | variables, {}))
    with pytest.raises(Misconfigured, match="cannot be read: FileNotFoundError"):
        sign_in.body()
    for text in ("first", "second"):
        file.write_text(f"{text}\n")
        assert sign_in.body() == {"identityId": "i", "jwt": text}


@pytest.fixture
def metadata() -> Iterator[HTTPServer]:
    """An instance metadata service that gives tokens to who asks as its documentation says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            vm = "/metadata/identity/oauth2/token" in self.path and self.headers.get("metadata") == "true"
            service = self.path.startswith("/msi") and self.headers.get("x-identity-header") == "proof"
            known = (vm or service) and "resource=https%3A%2F%2Fmanagement.azure.com%2F" in self.path
            body = json.dumps({"access_token": "azure-token"} if known else {"error": "invalid_request"}).encode()
            self.send_response(200 if known else 400)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_managed_identity_gets_its_token_from_the_machine_or_the_app_service(metadata: HTTPServer) -> None:
    variables = URL | {"KEYTURN_AUTH_METHOD": "azure-auth", "KEYTURN_IDENTITY_ID": "i"}
    host = f"http://127.0.0.1:{metadata.server_port}"
    places = [
        {"AZURE_POD_IDENTITY_AUTHORITY_HOST": host},
        {"IDENTITY_ENDPOINT": f"{host}/msi", "IDENTITY_HEADER": "proof"},
    ]
    for place in places:
        assert sign_in_of(read_settings(variables, {}), place).body() == {"identityId": "i", "jwt": "azure-token"}
    with pytest.raises(Outage, match="gave no token"):
        sign_in_of(read_settings(variables, {}), places[1] | {"IDENTITY_HEADER": "wrong"}).body()
