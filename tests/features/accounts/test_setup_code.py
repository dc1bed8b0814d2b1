"""The set-up code: a new server belongs to whoever can read what it printed, not to the first who knocks.

``POST /api/v1/admin/bootstrap {email, password, organization, setupCode?}``, or the code in ``X-Keyturn-Setup-Code``.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.accounts.service import Access
from keyturn.accounts.setup import MOST_TRIES
from keyturn.crypto.hashing import Hasher
from keyturn.crypto.keyring import Keyring, KeyringDigests
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.unit import Database
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from tests.features.accounts.conftest import GOOD_PASSWORD
from tests.features.accounts.people import IDS
from tests.features.accounts.site import Json, SiteFixture, site

BOOTSTRAP = "/api/v1/admin/bootstrap"
FIRST = {"email": "ann@acme.test", "password": GOOD_PASSWORD, "organization": "Acme"}
GIVEN = "given by an operator"


@pytest.fixture
def server(database: Database, clock: MovableClock, access: Access, tmp_path: Path) -> Iterator[SiteFixture]:
    with site(database, clock, access, tmp_path) as served:
        yield served


@pytest.fixture
def code(access: Access) -> str:
    setup_code = access.setup.announce()
    assert setup_code is not None
    return setup_code.reveal()


def another(database: Database, clock: MovableClock, own_code: str | None = None) -> Access:
    """A further process on the same database."""
    keyring = Keyring.open(database, GivenRoot(RootKeys(RootKey(bytes(32)))), clock)
    setup_code = Plaintext(own_code) if own_code else None
    hasher = Hasher(memory_kib=8, passes=1)
    return Access(database, clock, IDS, hasher, digests=KeyringDigests(keyring), setup_code=setup_code)


def knock(server: SiteFixture, body: Json = FIRST, **headers: str) -> tuple[int, str]:
    all_headers = {"content-type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    status, answer = server.raw("POST", BOOTSTRAP, json.dumps(body).encode(), all_headers)
    return status, answer.get("code", "")


def test_without_the_code_nobody_sets_a_server_up(server: SiteFixture, code: str, access: Access) -> None:
    assert knock(server) == (401, "access.setup_code_missing")
    assert knock(server, FIRST | {"setupCode": "  "}) == (401, "access.setup_code_missing")
    assert knock(server, FIRST | {"setupCode": "aaaa-bbbb-cccc-dddd"}) == (401, "access.setup_code_wrong")
    assert not access.bootstrapped()
    assert knock(server, FIRST | {"setupCode": f" {code.upper().replace('-', ' ')}\n"}) == (200, "")
    assert knock(server, FIRST | {"setupCode": code}) == (400, "access.bootstrapped")


def test_the_command_line_client_of_the_incumbent_sends_it_as_a_custom_header(server: SiteFixture, code: str) -> None:
    body = FIRST | {"domain": "http://localhost:8080/api"}
    headers = {"accept": "application/json", "user_agent": "cli", "x_keyturn_setup_code": code}
    status, answer = server.raw(
        "POST",
        BOOTSTRAP,
        json.dumps(body).encode(),
        {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()},
    )
    assert status == 200
    assert set(answer) == {"message", "identity", "organization", "user"}
    token = answer["identity"]["credentials"]["token"]
    assert server.ask("GET", "/api/v1/projects", token=token) == {"projects": []}
    # With --ignore-if-bootstrapped it looks for a 400, which needs no code.
    assert knock(server, body) == (400, "access.bootstrapped")


ELSEWHERE: tuple[tuple[dict[str, str], int, str], ...] = (
    ({"content_type": "text/plain"}, 415, "request.media_type"),
    ({"content_type": "application/x-www-form-urlencoded"}, 415, "request.media_type"),
    ({"content_type": ""}, 415, "request.media_type"),
    ({"origin": "https://evil.example"}, 403, "request.cross_site"),
    ({"origin": "null"}, 403, "request.cross_site"),
    ({"sec_fetch_site": "cross-site"}, 403, "request.cross_site"),
    ({"sec_fetch_site": "same-site"}, 403, "request.cross_site"),
    ({"host": "evil.example"}, 403, "request.host_unknown"),
    ({"host": "evil.example", "origin": "http://evil.example"}, 403, "request.host_unknown"),
    ({"host": "localhost.evil.example"}, 403, "request.host_unknown"),
    ({"host": "127.0.0.1.evil.example:8080"}, 403, "request.host_unknown"),
)


def test_a_page_of_another_site_sets_nothing_up_even_with_the_code(
    server: SiteFixture, code: str, access: Access
) -> None:
    for headers, status, refusal in ELSEWHERE:
        assert knock(server, FIRST | {"setupCode": code}, **headers) == (status, refusal), headers
    assert not access.bootstrapped()
    request_headers = {"host": "[::1]:8080", "content_type": "application/json; charset=utf-8"}
    assert knock(server, FIRST | {"setupCode": code}, **request_headers) == (200, "")


def test_too_many_wrong_codes_end_it_and_the_operator_gets_another(
    server: SiteFixture, code: str, access: Access
) -> None:
    for _ in range(MOST_TRIES):
        assert knock(server, FIRST | {"setupCode": "wrong-wrong-wrong"}) == (401, "access.setup_code_wrong")
    assert knock(server, FIRST | {"setupCode": code}) == (401, "access.setup_code_spent")
    fresh = access.setup.renew().reveal()
    assert fresh != code
    assert knock(server, FIRST | {"setupCode": code}) == (401, "access.setup_code_wrong")
    assert knock(server, FIRST | {"setupCode": fresh}) == (200, "")


def test_a_start_after_too_many_wrong_ones_makes_another(access: Access, code: str) -> None:
    for _ in range(MOST_TRIES):
        with pytest.raises(Exception, match="not the set-up code"):
            access.setup.check(Plaintext("wrong"))
    again = access.setup.announce()
    assert again is not None
    assert again.reveal() != code
    access.setup.check(again)


def test_wrong_codes_at_the_same_moment_are_all_counted(access: Access, code: str) -> None:
    messages: list[str] = []

    def guess() -> None:
        for _ in range(5):
            try:
                access.setup.check(Plaintext("wrong"))
            except Exception as error:  # noqa: BLE001 - whatever it says is looked at
                messages.append(str(error))

    threads = [threading.Thread(target=guess) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("not the set-up code" in each for each in messages) == MOST_TRIES
    assert sum("Too many wrong" in each for each in messages) == 30 - MOST_TRIES


def test_all_processes_of_a_database_announce_one_code_also_after_a_restart(
    database: Database, clock: MovableClock
) -> None:
    processes = [another(database, clock) for _ in range(4)]
    codes: list[str] = []

    def announce(access: Access) -> None:
        setup_code = access.setup.announce()
        codes.append(setup_code.reveal() if setup_code else "")

    threads = [threading.Thread(target=announce, args=(each,)) for each in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.advance(86_400)
    announce(another(database, clock))
    assert len(codes) == 5
    assert len(set(codes)) == 1
    assert len(codes[0]) == 19


def test_it_is_kept_as_a_digest_and_gone_after_the_set_up(database: Database, access: Access, code: str) -> None:
    def rows() -> str:
        with database.read() as tx:
            return repr(tx.connection.exec_driver_sql("SELECT * FROM setup_codes").all())

    for text in (code, code.replace("-", "")):
        assert text not in rows()
    access.bootstrap("ann@acme.test", Plaintext(GOOD_PASSWORD), "Acme")
    assert rows() == "[]"
    assert access.setup.announce() is None


def test_a_code_that_the_operator_gave_counts_and_is_never_announced(
    database: Database, clock: MovableClock, code: str
) -> None:
    restarted = another(database, clock, GIVEN)
    assert restarted.setup.announce() is None
    other = another(database, clock)
    assert other.setup.announce() is None, "this process does not know it"
    with pytest.raises(Exception, match="not the set-up code"):
        other.setup.check(Plaintext(code))
    other.setup.check(Plaintext(GIVEN))
