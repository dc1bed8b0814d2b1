"""What people are told to do can be done as it stands: every message names real ids, none has a gap to fill."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import keyturn
from keyturn.errors import NeedsAction
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import AccessToken, RemoteApplication, Tenant
from keyturn.providers.azure import paste_checks
from keyturn.providers.azure.capabilities import ADMINISTRATORS, READERS, WRITE_ALL, WRITE_OWNED, capabilities
from keyturn.providers.azure.error_mapping import ErrorContext, refusal
from keyturn.providers.azure.error_row import ErrorRow, ErrorSource
from keyturn.providers.azure.errors import TABLE
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.azure.responses import Answer
from keyturn_simulation.emulated import emulated_clouds

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TENANT, CLIENT, APP, OBJECT, PRINCIPAL = (
    f"{number}0000000-0000-4000-8000-00000000000{number}" for number in range(1, 6)
)
GAP = re.compile(r"<[^>\s=/][^>=/]*>|\{[a-z_]+\}|\bNone\b")
CLOUD = ("https://portal.test", "https://login.test", "https://graph.test")

SUBJECTS = {
    "all known": ErrorContext(TENANT, *CLOUD, APP, CLIENT, OBJECT, PRINCIPAL),
    "a sign-in": ErrorContext(TENANT, *CLOUD, CLIENT),
    "by object id": ErrorContext(TENANT, *CLOUD, OBJECT, CLIENT, OBJECT, PRINCIPAL),
    "a token that cannot be read": ErrorContext(TENANT, *CLOUD, OBJECT, None, OBJECT, None),
}


def answers() -> Iterator[tuple[ErrorSource, Answer]]:
    """One for each row of the table, and those that no row fits."""
    for row in TABLE:
        for words in row.contains:
            yield row.source, _answer(row, words)
    for source in ErrorSource:
        for status in (200, 400, 401, 403, 404, 418, 500, 599):
            yield source, Answer(status, (), "", None, None)
            yield source, Answer(status, ("Unheard_Of",), "Microsoft says something new.", None, None)


def _answer(row: ErrorRow, words: str) -> Answer:
    codes = (row.provider_code,) if row.provider_code else ()
    return Answer(row.status or 400, codes, f"Microsoft says: {words}", None, "request-1")


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("writing", [False, True], ids=["reading", "writing"])
def test_no_refusal_of_the_whole_table_has_a_gap(subject: str, *, writing: bool) -> None:
    codes = set()
    for source, answer in answers():
        error = refusal(source, answer, SUBJECTS[subject], [], writing=writing)
        codes.add(error.code)
        assert not GAP.search(error.diagnostics()), f"{source}, {answer}: {error.diagnostics()}"
    assert {row.code for row in TABLE} <= codes


def test_commands_name_the_connection_and_the_application_apart() -> None:
    answer = Answer(403, ("Authorization_RequestDenied",), "", None, None)
    fix = str(refusal(ErrorSource.GRAPH, answer, SUBJECTS["all known"], []).fix)
    assert f"az ad app permission add --id {CLIENT} " in fix
    assert f"az ad app owner add --id {APP} --owner-object-id {PRINCIPAL}" in fix


def test_what_is_not_known_is_found_by_the_command_itself() -> None:
    answer = Answer(403, ("Authorization_RequestDenied",), "", None, None)
    fix = str(refusal(ErrorSource.GRAPH, answer, SUBJECTS["a sign-in"], []).fix)
    assert f"--owner-object-id $(az ad sp show --id {CLIENT} --query id --output tsv)" in fix


def tokens() -> Iterator[AccessToken]:
    for principal in (None, PRINCIPAL):
        for roles in ((), (WRITE_OWNED,), (WRITE_ALL,), tuple(sorted(READERS))):
            yield AccessToken(Plaintext("t"), NOW, roles, principal, client_id=CLIENT)
            for office in ((), tuple(ADMINISTRATORS)):
                yield AccessToken(
                    Plaintext("t"), NOW, (), principal, on_behalf=True, scopes=roles, directory_roles=office
                )


def test_what_permissions_allow_is_told_without_a_gap() -> None:
    for token in tokens():
        for capability in capabilities(token, CLIENT):
            assert not GAP.search(f"{capability.message} {capability.fix or ''}"), capability


class Nowhere:
    """A network that is not asked."""

    def send(self, request: object) -> object:
        raise AssertionError(request)


def test_a_missing_permission_is_told_without_a_gap() -> None:
    provider = AzureProvider(Nowhere(), MovableClock(NOW), emulated_clouds())  # type: ignore[arg-type]
    application = RemoteApplication(OBJECT, APP, "Billing", "AzureADMyOrg", (), None)
    token = AccessToken(Plaintext("t"), NOW + timedelta(hours=1), ("User.Read.All",), PRINCIPAL, client_id=CLIENT)
    with pytest.raises(NeedsAction) as caught:
        provider.check_may_write(Tenant("global", TENANT), token, application)
    assert not GAP.search(caught.value.diagnostics())
    assert f"--id {CLIENT} --api" in str(caught.value.fix)


PASTED = (
    "",
    "  ",
    APP,
    "-----BEGIN CERTIFICATE-----",
    "MII" * 400,
    "eyJhbGciOi.eyJhdWQiOi.c2ln",
    "a b",
    "x" * 5000,
    "common",
)


def test_what_a_form_says_of_mistakes_has_no_gap() -> None:
    for text in PASTED:
        faults = [
            paste_checks.tenant_fault(text),
            paste_checks.client_id_fault(text),
            paste_checks.client_secret_fault(Plaintext(text)),
            paste_checks.key_id_fault(text),
        ]
        for fault in faults:
            assert fault is None or not GAP.search(f"{fault.message} {fault.fix}"), fault


def _texts(tree: ast.Module) -> Iterator[ast.Constant]:
    """Every piece of text of a module but docstrings."""
    spoken = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken | bare:
            yield node


def test_no_text_of_the_product_has_words_between_angle_brackets() -> None:
    gap, root = re.compile(r"(?<!\?P)<[a-z][a-z' ]+>"), Path(keyturn.__file__).parent
    texts = [
        f"{path.relative_to(root)}:{text.lineno} {text.value!r}"
        for path in sorted(root.rglob("*.py"))
        for text in _texts(ast.parse(path.read_text()))
        if gap.search(text.value)
    ]
    assert not texts
