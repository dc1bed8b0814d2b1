"""Outside of the providers' folder nothing is decided by what one provider calls a thing."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import keyturn
from keyturn.errors import NeedsAction
from keyturn.kit.clock import MovableClock, SystemClock
from keyturn.ports.http import HttpRequest, HttpResponse
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.registry import Providers
from keyturn_simulation.emulated import emulated_clouds

SOURCE = Path(keyturn.__file__).parent
CODE = re.compile(r"azure\.[a-z_]+")
CREDENTIALS = {"ClientSecret", "Certificate", "CertificateFiles", "AuthorizationCode", "OAuthGrant"}


class Nowhere:
    def send(self, request: HttpRequest) -> HttpResponse:
        raise AssertionError(f"a call of {request.url}")


def azure() -> AzureProvider:
    return AzureProvider(Nowhere(), MovableClock(SystemClock().now()), emulated_clouds())


def modules() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if not name.startswith("providers/"):
            yield name, ast.parse(path.read_text())


def test_no_error_code_of_a_provider_is_named_outside_its_folder() -> None:
    found = [
        f"{name}: {node.value}"
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
    ]
    assert found == []


def test_no_credential_of_a_method_is_named_outside_its_folder() -> None:
    found = [
        f"{name}: {node.id}"
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id in CREDENTIALS
    ]
    assert found == []


def test_two_providers_with_a_method_of_the_same_key_are_refused() -> None:
    with pytest.raises(ValueError, match="same key"):
        Providers([azure(), azure()])


@pytest.mark.parametrize(("app", "method"), [("ours", "client-secret"), ("azure-client-secrets", "password")])
def test_what_nobody_knows_needs_action_and_is_shown_all_the_same(app: str, method: str) -> None:
    class Row:
        def __init__(self) -> None:
            self.app, self.method = app, method

    providers = Providers([azure()])
    with pytest.raises(NeedsAction) as caught:
        providers.method_of(Row())
    assert caught.value.code == "connections.unreadable"
    assert providers.for_display(Row())[0].manifest.name == "Azure Client Secrets"
