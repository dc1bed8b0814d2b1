"""What a person granted is kept alive, survives races, and says so when only a person can help."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from entra_emulator import Effect, Fault
from keyturn.connections import store
from keyturn.crypto.rewrap import sealed_columns
from keyturn.db.tables import app_connections, oauth_tokens
from keyturn.errors import KeyturnError, NeedsAction, Retryable, SignInAgain
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest
from keyturn.ports.provider import OAuthApp
from tests import unreadable
from tests.features.connections.desk import Json
from tests.features.methods.scene import REDIRECT, MethodsFixture

DAY = 86400


def row_of(scene: MethodsFixture, connection: Json) -> store.RefreshToken:
    with scene.world.database.read() as tx:
        token = store.refresh_token(tx, connection["id"])
    assert token is not None
    return token


def token_of(scene: MethodsFixture, connection: Json) -> str:
    row = row_of(scene, connection)
    return scene.world.sealer.open(row.refresh_token, row.seal_context).reveal()


def use(scene: MethodsFixture, connection: Json) -> None:
    scene.web.ask("GET", f"{connection['id']}/clients")


def refreshes(scene: MethodsFixture) -> int:
    return sum(form["grant_type"] == "refresh_token" for form in scene.wire.asked_for_tokens())


def test_each_use_brings_a_fresh_token_and_touches_nothing_else(scene: MethodsFixture) -> None:
    connection = scene.connect()
    first = token_of(scene, connection)
    with scene.world.database.read() as tx:
        before = dict(tx.rows(sa.select(app_connections))[0])
    for number in range(3):
        use(scene, connection)
        assert row_of(scene, connection).refresh_token_version == 2 + number
    with scene.world.database.read() as tx:
        assert dict(tx.rows(sa.select(app_connections))[0]) == before
    assert token_of(scene, connection) != first
    assert scene.web.get(connection) == connection, "clients that compare the hash would see drift"


def test_the_tokens_are_sealed_and_are_found_when_keys_change(scene: MethodsFixture) -> None:
    connection = scene.connect()
    with scene.world.database.read() as tx:
        (row,) = tx.rows(sa.select(oauth_tokens))
    assert token_of(scene, connection) not in repr(dict(row)) + row["refresh_token"].text
    places = {(column.table.name, column.value.name) for column in sealed_columns()}
    assert {("oauth_tokens", "refresh_token"), ("oauth_flows", "payload")} <= places


def test_uses_at_the_same_time_all_work(scene: MethodsFixture) -> None:
    world, app_connection = scene.world, scene.connect()
    connection, gate = scene.connection(app_connection), threading.Barrier(4)
    failures: list[Exception] = []

    def use_it() -> None:
        gate.wait()
        try:
            world.services.stored.sign_in(connection)
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=use_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    use(scene, app_connection)


def test_a_refresh_never_undoes_a_sign_in_that_came_in_between(scene: MethodsFixture) -> None:
    """The token endpoint is slow; meanwhile the person connects again. The new sign-in must win."""
    app_connection = scene.connect()
    connection = scene.connection(app_connection)
    again: list[str] = []

    def meanwhile(request: HttpRequest) -> None:
        if b"refresh_token" in request.body and not again:
            again.append("now")
            url = scene.begin(None, connectionId=app_connection["id"], tenantId=None)
            scene.finish(scene.walk(url, scene.ben))
            again.append(token_of(scene, app_connection))

    scene.wire.before = meanwhile
    scene.world.services.stored.sign_in(connection)
    assert token_of(scene, app_connection) == again[1]
    assert scene.web.get(app_connection)["oauthAccount"].startswith("Ben@")


def test_a_refusal_that_arrives_late_is_not_told_where_somebody_has_signed_in_since(scene: MethodsFixture) -> None:
    app_connection = scene.connect()
    connection = scene.connection(app_connection)
    done: list[str] = []

    def meanwhile(request: HttpRequest) -> None:
        if b"grant_type=refresh_token" in request.body and not done:
            done.append("now")
            scene.finish(scene.walk(scene.begin(None, connectionId=app_connection["id"], tenantId=None), scene.ben))
            scene.admin.revoke_sessions(scene.ada)

    scene.wire.before = meanwhile
    scene.world.services.stored.sign_in(connection)
    assert done
    assert scene.web.get(app_connection)["lastCheck"]["ok"] is True
    assert scene.world.events("app-connection-needs-reconnect") == []
    use(scene, app_connection)


# --- keeping it alive --------------------------------------------------------------------------------------------------


def test_a_connection_that_nobody_uses_is_kept_alive_as_long_as_the_servers_own_secret(scene: MethodsFixture) -> None:
    connection = scene.connect()
    scene.world.clock.advance(29 * DAY)
    assert scene.keep_alive() == 0
    for _ in range(22):
        scene.world.clock.advance(31 * DAY)
        assert scene.keep_alive() == 1
        assert scene.keep_alive() == 0
    assert scene.web.ask("POST", f"{connection['id']}/test")["ok"] is True


def test_without_upkeep_it_ends_and_says_so_once(scene: MethodsFixture) -> None:
    connection = scene.connect()
    scene.world.clock.advance(91 * DAY)
    reports: list[tuple[str, str]] = []
    assert scene.keep_alive(lambda connection_id, error: reports.append((connection_id, error.code))) == 0
    assert reports == [(connection["id"], "azure.grant_expired")]
    view = scene.web.get(connection)["lastCheck"]
    assert (view["ok"], view["needsReconnect"], view["code"]) == (False, True, "azure.grant_expired")
    assert "Connect again" in view["fix"]
    scene.world.clock.advance(DAY)
    assert scene.keep_alive() == 0
    scene.web.ask("GET", f"{connection['id']}/clients", expect=400)
    (event,) = scene.world.events("app-connection-needs-reconnect")
    assert (event["actor_kind"], event["data"]["code"]) == ("platform", "azure.grant_expired")


@pytest.mark.parametrize("what", ["sessions", "consent", "person", "blocked"])
def test_what_was_granted_may_be_taken_back_and_given_again(scene: MethodsFixture, what: str) -> None:
    connection = scene.connect(person=scene.ben)
    if what == "sessions":
        scene.admin.revoke_sessions(scene.ben)
    elif what == "consent":
        scene.admin.withdraw_consent(scene.app.object_id)
    elif what == "person":
        scene.admin.delete_user(scene.ben)
    else:
        scene.admin.set_user(scene.ben, enabled=False)
    answer = scene.web.ask("GET", f"{connection['id']}/clients", expect=400)
    assert answer["code"] in {"azure.grant_revoked", "azure.consent_missing"}
    assert "again" in answer["fix"]
    assert scene.web.get(connection)["lastCheck"]["needsReconnect"] is True
    scene.admin.consent(scene.app.object_id, "Application.ReadWrite.All")
    url = scene.begin(None, connectionId=connection["id"], tenantId=None)
    scene.finish(scene.walk(url))
    assert scene.web.get(connection)["lastCheck"] == {
        "ok": True,
        "checkedAt": scene.web.get(connection)["lastCheck"]["checkedAt"],
        "code": None,
        "message": None,
        "fix": None,
        "needsReconnect": False,
    }
    use(scene, connection)
    assert row_of(scene, connection).refresh_due_at == scene.world.clock.now() + timedelta(days=30)


def test_a_failure_of_the_moment_is_tried_again_within_the_hour(scene: MethodsFixture) -> None:
    connection = scene.connect()
    scene.world.clock.advance(31 * DAY)
    errors: list[KeyturnError] = []
    scene.world.emulator.faults.add(Fault("token", (Effect(503),), times=1))
    assert scene.keep_alive(lambda _id, error: errors.append(error)) == 0
    assert isinstance(errors[0], Retryable)
    assert scene.web.get(connection)["lastCheck"]["ok"] is True
    assert scene.keep_alive() == 0, "not at once"
    scene.world.clock.advance(3600)
    assert scene.keep_alive() == 1


def test_one_that_fails_does_not_keep_others_from_being_refreshed(scene: MethodsFixture) -> None:
    scene.connect("of-ben", scene.ben)
    scene.connect("of-ada")
    scene.admin.delete_user(scene.ben)
    scene.world.clock.advance(31 * DAY)
    assert scene.keep_alive() == 1


def test_a_new_secret_of_the_oauth_application_needs_no_sign_in(scene: MethodsFixture) -> None:
    """The operator's own mistake is not put upon the people: their grants wait."""
    connection = scene.connect()
    scene.admin.remove_secret(scene.app.object_id, scene.app.secrets[0].key_id)
    answer = scene.web.ask("GET", f"{connection['id']}/clients", expect=400)
    assert answer["code"] == "azure.oauth_app_secret_refused"
    assert scene.web.get(connection)["lastCheck"]["needsReconnect"] is False
    fresh = scene.admin.add_secret(scene.app.object_id, "new")
    world = scene.world
    app = OAuthApp(scene.app.app_id, Plaintext(fresh.value), REDIRECT)
    renewed = scene.server_of(app)
    assert renewed.clients(world.actor, connection["id"])


def test_another_oauth_application_cannot_use_what_was_granted_to_the_first(scene: MethodsFixture) -> None:
    connection, world = scene.connect(), scene.world
    app = OAuthApp("00000000-0000-4000-8000-00000000aaaa", Plaintext("a~secret"), REDIRECT)
    moved = scene.server_of(app)
    requests = refreshes(scene)
    with pytest.raises(SignInAgain) as caught:
        moved.clients(world.actor, connection["id"])
    assert caught.value.code == "connections.oauth_app_changed"
    assert refreshes(scene) == requests, "the token of one application was sent for another"
    assert scene.web.get(connection)["lastCheck"]["needsReconnect"] is True


@pytest.mark.parametrize("values", [{"tenant_id": "00000000-0000-4000-8000-000000000000"}, {"cloud": "china"}])
def test_a_refresh_token_is_sent_to_the_tenant_it_came_from_only(scene: MethodsFixture, values: dict[str, str]) -> None:
    connection, world = scene.connect(), scene.world
    requests = refreshes(scene)
    with world.database.write() as tx:
        tx.run(sa.update(app_connections).values(**values))
    with pytest.raises(NeedsAction) as caught:
        world.connections.clients(world.actor, connection["id"])
    assert caught.value.code == "connections.target_changed"
    world.clock.advance(31 * 86_400)
    failures: list[str] = []
    assert scene.keep_alive(lambda _id, error: failures.append(error.code)) == 0
    assert failures == ["connections.target_changed"]
    assert refreshes(scene) == requests, "the token was sent elsewhere"


def test_the_servers_share_the_work(scene: MethodsFixture) -> None:
    for number in range(4):
        scene.connect(f"c-{number}")
    scene.world.clock.advance(31 * DAY)
    before, gate = refreshes(scene), threading.Barrier(3)
    done: list[int] = []

    def upkeep() -> None:
        gate.wait()
        done.append(scene.keep_alive())

    threads = [threading.Thread(target=upkeep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 4
    assert refreshes(scene) - before == 4


def test_a_token_whose_moments_cannot_be_read_is_renewed_at_the_next_round(scene: MethodsFixture) -> None:
    world, connection = scene.world, scene.connect()
    for column in ("refreshed_at", "refresh_due_at"):
        for text in unreadable.moments(world.database):
            assert unreadable.write(world.database, "oauth_tokens", column, text)
            scene.web.ask("GET", "")
            if column == "refresh_due_at":
                assert scene.keep_alive() == 1, text
            use(scene, connection)
            assert row_of(scene, connection).refresh_due_at == world.clock.now() + timedelta(days=30)
