"""Adding, listing and removing secrets through Graph, in good weather and bad."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from entra_emulator import GATEWAY_TIMEOUT, HANG, RESET, SERVICE_UNAVAILABLE, Effect, slow
from keyturn.errors import NeedsAction, Retryable, Unanswered, Upstream
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse
from keyturn.ports.provider import AccessToken, Trust
from keyturn.ports.use_reports import Unobservable
from keyturn.providers.azure.provider import AzureProvider
from keyturn_simulation.emulated import HOST, emulated_clouds
from tests.contract.conftest import ContractFixture


def error_of(call: Callable[[], object]) -> Upstream:
    with pytest.raises(Upstream) as caught:
        call()
    return caught.value


def add(
    scene: ContractFixture, token: AccessToken, marker: str = "keyturn r1 g2 abcdefghij", days: float = 63
) -> object:
    return scene.provider.add_password(scene.tenant, token, scene.app.object_id, marker, scene.in_days(days))


REQUEST = "9d4d5b3c-0000-4000-8000-00000000beef"


class OneAnswer:
    """A transport that gives one and the same answer to everything."""

    def __init__(self, status: int, body: object) -> None:
        self.answer = HttpResponse(status, {"request-id": REQUEST}, json.dumps(body).encode())
        self.urls: list[str] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        self.urls.append(request.url)
        return self.answer


def answering(scene: ContractFixture, status: int, body: object) -> tuple[AzureProvider, OneAnswer]:
    transport = OneAnswer(status, body)
    return AzureProvider(transport, scene.clock, emulated_clouds()), transport


TOKEN_FREE = AccessToken(Plaintext("opaque"), expires_at=ContractFixture().in_days(1))


def test_add_prove_remove_takes_five_calls(scene: ContractFixture) -> None:
    token = scene.token()
    before = scene.transport.requests
    issued = scene.provider.add_password(
        scene.tenant, token, scene.app.object_id, "keyturn r1 g2 abcdefghij", scene.in_days(63)
    )
    for _ in range(3):
        fresh = scene.provider.sign_in(scene.tenant, scene.app.app_id, issued.value)
    scene.provider.remove_password(scene.tenant, fresh, scene.app.object_id, scene.app.secrets[0].key_id)
    assert scene.transport.requests - before == 5
    assert scene.names() == ["keyturn r1 g2 abcdefghij"]


def test_an_issued_secret_carries_marker_hint_and_dates(scene: ContractFixture) -> None:
    issued = scene.provider.add_password(
        scene.tenant, scene.token(), scene.app.object_id, "the marker", scene.in_days(63)
    )
    application = scene.provider.application(scene.tenant, scene.token(), object_id=scene.app.object_id)
    listed = next(item for item in application.credentials if item.key_id == issued.key_id)
    assert (listed.name, listed.hint) == ("the marker", issued.value.hint())
    assert (issued.starts_at, issued.ends_at) == (scene.clock.now(), scene.in_days(63))
    assert (listed.starts_at, listed.ends_at) == (issued.starts_at, issued.ends_at)


def test_an_application_is_found_by_either_id_in_any_case(scene: ContractFixture) -> None:
    token = scene.token()
    by_client = scene.provider.application(scene.tenant, token, app_id=scene.app.app_id.upper())
    by_object = scene.provider.application(scene.tenant, token, object_id=scene.app.object_id)
    assert by_client == by_object
    assert (by_client.name, by_client.audience, by_client.slots) == ("Billing", "AzureADMyOrg", None)


def test_giving_both_ids_or_none_is_a_mistake_of_the_caller(scene: ContractFixture) -> None:
    token = scene.token()
    with pytest.raises(ValueError, match="either"):
        scene.provider.application(scene.tenant, token)
    with pytest.raises(ValueError, match="either"):
        scene.provider.application(scene.tenant, token, app_id=scene.app.app_id, object_id=scene.app.object_id)


@pytest.mark.parametrize("audience", ["AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"])
def test_personal_accounts_leave_two_slots_and_a_third_secret_is_refused(scene: ContractFixture, audience: str) -> None:
    personal = scene.admin.create_application(
        scene.tenant_id, "Shop", audience=audience, secrets=2, owners=(scene.app.principal_id,)
    )
    token = scene.token()
    assert scene.provider.application(scene.tenant, token, app_id=personal.app_id).slots == 2
    error = error_of(
        lambda: scene.provider.add_password(scene.tenant, token, personal.object_id, "third", scene.in_days(9))
    )
    assert (type(error), error.code) == (NeedsAction, "azure.slots_full")


def test_a_missing_application_is_named(scene: ContractFixture) -> None:
    everywhere = scene.admin.create_application(scene.tenant_id, "All", permissions=("Application.ReadWrite.All",))
    gone = "33333333-3333-4333-8333-333333333333"
    error = error_of(lambda: scene.provider.application(scene.tenant, scene.token(everywhere), app_id=gone))
    assert (type(error), error.code) == (NeedsAction, "azure.application_not_found")
    assert gone in error.message


def test_a_graph_that_knows_no_deactivation_is_asked_without(scene: ContractFixture) -> None:
    class OlderGraph:
        def send(self, request: HttpRequest) -> HttpResponse:
            if "isDisabled" in request.url:
                return HttpResponse(400, {}, b'{"error": {"code": "BadRequest", "message": "No property isDisabled."}}')
            return scene.transport.send(request)

    provider, token = AzureProvider(OlderGraph(), scene.clock, emulated_clouds()), scene.token()
    expected = scene.provider.application(scene.tenant, token, object_id=scene.app.object_id)
    assert provider.application(scene.tenant, token, object_id=scene.app.object_id) == expected


@pytest.mark.parametrize("bad", ["", "x", "../servicePrincipals", "a')/owners?(", "3333"])
def test_only_uuids_become_part_of_an_address(scene: ContractFixture, bad: str) -> None:
    token = scene.token()
    before = scene.transport.requests
    for call in (
        lambda: scene.provider.application(scene.tenant, token, app_id=bad),
        lambda: scene.provider.application(scene.tenant, token, object_id=bad),
        lambda: scene.provider.add_password(scene.tenant, token, bad, "m", scene.in_days(9)),
        lambda: scene.provider.remove_password(scene.tenant, token, scene.app.object_id, bad),
    ):
        assert isinstance(error_of(call), NeedsAction)
    assert scene.transport.requests == before


@pytest.mark.parametrize("effect", [RESET, HANG, SERVICE_UNAVAILABLE, GATEWAY_TIMEOUT, Effect(500), slow(60)])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_add_that_may_have_happened_is_unanswered(scene: ContractFixture, effect: Effect, when: str) -> None:
    token = scene.token()
    scene.emulator.faults.fail_next("addPassword", effect, when=when)  # type: ignore[arg-type]
    error = error_of(lambda: add(scene, token))
    assert isinstance(error, Unanswered)
    added_count = 0 if when == "before" and effect.wire.kind != "slow" else 1
    assert len(scene.names()) == 1 + added_count, "never repeated by itself"


@pytest.mark.parametrize("effect", [RESET, HANG, SERVICE_UNAVAILABLE])
def test_a_removal_that_may_have_happened_is_unanswered_and_repeatable(scene: ContractFixture, effect: Effect) -> None:
    token = scene.token()
    key_id = scene.app.secrets[0].key_id
    scene.emulator.faults.fail_next("removePassword", effect)
    error = error_of(lambda: scene.provider.remove_password(scene.tenant, token, scene.app.object_id, key_id))
    assert isinstance(error, Unanswered)
    scene.provider.remove_password(scene.tenant, token, scene.app.object_id, key_id)
    assert scene.names() == []


def test_a_write_that_was_never_sent_is_not_in_doubt(scene: ContractFixture) -> None:
    token = scene.token()
    with scene.transport.cut():
        error = error_of(lambda: add(scene, token))
    assert (type(error), error.code) == (Retryable, "azure.unreachable")


@pytest.mark.parametrize("status", [409, 503])
def test_a_concurrent_change_leaves_a_write_in_doubt(scene: ContractFixture, status: int) -> None:
    scene.admin.configure(scene.tenant_id, conflict_window=10.0, conflict_status=status)
    token = scene.token()
    add(scene, token, "first")
    error = error_of(lambda: add(scene, token, "second"))
    assert (type(error), error.code) == (Unanswered, "azure.concurrent_change")
    assert "second" not in scene.names()


@pytest.mark.parametrize("style", ["integer", "fraction", "date"])
def test_throttling_by_graph_is_a_clear_no_with_a_time(scene: ContractFixture, style: str) -> None:
    scene.admin.configure(scene.tenant_id, retry_after=style)
    token = scene.token()
    scene.emulator.faults.fail_next("addPassword", Effect(429, retry_after=12.0), when="before")
    error = error_of(lambda: add(scene, token))
    assert type(error) is Retryable
    assert (error.code, error.retry_after) == ("azure.throttled", timedelta(seconds=12))


@pytest.mark.parametrize("body", [{}, [], "x", {"keyId": "k"}, {"secretText": "s"}, {"keyId": 1, "secretText": 2}])
def test_a_success_without_the_secret_is_in_doubt(scene: ContractFixture, body: object) -> None:
    provider, _ = answering(scene, 200, body)
    error = error_of(
        lambda: provider.add_password(scene.tenant, TOKEN_FREE, scene.app.object_id, "m", scene.in_days(9))
    )
    assert (type(error), error.code, error.request_id) == (Unanswered, "azure.unreadable_answer", REQUEST)


def test_missing_dates_and_hint_of_an_issued_secret_are_filled_in(scene: ContractFixture) -> None:
    key = "44444444-4444-4444-8444-444444444444"
    provider, _ = answering(scene, 200, {"keyId": key.upper(), "secretText": "abc8Q~x", "startDateTime": "soon"})
    issued = provider.add_password(scene.tenant, TOKEN_FREE, scene.app.object_id, "m", scene.in_days(9))
    assert (issued.key_id, issued.hint, issued.ends_at) == (key, "abc", scene.in_days(9))
    assert issued.starts_at == scene.clock.now()


@pytest.mark.parametrize(
    "change",
    [
        {"passwordCredentials": None},
        {"passwordCredentials": [5]},
        {"passwordCredentials": [{"displayName": "no key id"}]},
        {"id": "55555555-5555-4555-8555-555555555555", "appId": "55555555-5555-4555-8555-555555555555"},
        {"appId": None},
    ],
)
def test_an_incomplete_or_different_application_is_not_believed(
    scene: ContractFixture, change: dict[str, object]
) -> None:
    whole = {"id": scene.app.object_id, "appId": scene.app.app_id, "passwordCredentials": []}
    provider, _ = answering(scene, 200, whole | change)
    error = error_of(lambda: provider.application(scene.tenant, TOKEN_FREE, app_id=scene.app.app_id))
    assert (type(error), error.code) == (Retryable, "azure.unreadable_answer")


def test_times_with_seven_digits_and_old_secrets_without_hint_are_read(scene: ContractFixture) -> None:
    key = "44444444-4444-4444-8444-444444444444"
    listed = {"keyId": key, "startDateTime": "2021-09-09T19:50:29.3086381Z", "endDateTime": "0001-01-01T00:00:00Z"}
    body = {"id": scene.app.object_id, "appId": scene.app.app_id, "passwordCredentials": [listed]}
    provider, _ = answering(scene, 200, body)
    credential = provider.application(scene.tenant, TOKEN_FREE, object_id=scene.app.object_id).credentials[0]
    assert (credential.name, credential.hint) == (None, None)
    assert credential.starts_at is not None
    assert credential.starts_at.microsecond == 308638
    assert credential.ends_at is not None
    assert credential.ends_at.year == 1


def test_removing_what_graph_does_not_show_is_not_an_error(scene: ContractFixture) -> None:
    gone = "66666666-6666-4666-8666-666666666666"
    scene.provider.remove_password(scene.tenant, scene.token(), scene.app.object_id, gone)


def test_a_lifetime_policy_is_named(scene: ContractFixture) -> None:
    rule = {"restrictionType": "passwordLifetime", "maxLifetime": "P30D", "state": "enabled"}
    scene.admin.set_policy(scene.tenant_id, passwordCredentials=[rule])
    token = scene.token()
    error = error_of(lambda: add(scene, token, days=63))
    assert (type(error), error.code) == (NeedsAction, "azure.lifetime_policy")
    add(scene, token, days=29)


def test_a_type_policy_is_named(scene: ContractFixture) -> None:
    rule = {"restrictionType": "passwordAddition", "maxLifetime": None, "state": "enabled"}
    scene.admin.set_policy(scene.tenant_id, passwordCredentials=[rule])
    error = error_of(lambda: add(scene, scene.token()))
    assert (type(error), error.code) == (NeedsAction, "azure.type_policy")


def test_a_full_application_is_named(scene: ContractFixture) -> None:
    scene.admin.configure(scene.tenant_id, object_item_cap=2)
    error = error_of(lambda: add(scene, scene.token()))
    assert (type(error), error.code) == (NeedsAction, "azure.application_full")


def test_an_application_that_trusts_as_many_as_it_can_is_named(scene: ContractFixture) -> None:
    token, of = scene.token(), scene.app.object_id
    for number in range(20):
        scene.admin.trust_identity(of, "https://cluster.example/", f"s{number}", name=f"n{number}")
    trust = Trust("https://cluster.example/", "one more", "api://AzureADTokenExchange")
    error = error_of(lambda: scene.provider.add_trust(scene.tenant, token, of, "one-more", trust))
    assert (type(error), error.code) == (NeedsAction, "azure.federation_full")


def test_a_refused_token_asks_for_a_fresh_one(scene: ContractFixture) -> None:
    old = scene.token()
    scene.clock.advance(7200)
    error = error_of(lambda: add(scene, old))
    assert (type(error), error.code) == (Retryable, "azure.token_refused")
    add(scene, scene.token())


@pytest.mark.parametrize(
    "link", ["https://evil.test/v1.0/applications", "http://entra.test/v1.0", "/v1.0/x", 5, [], f"{HOST}/v1.0/next"]
)
def test_a_page_link_elsewhere_or_in_a_circle_is_not_followed(scene: ContractFixture, link: object) -> None:
    provider, transport = answering(scene, 200, {"value": [], "@odata.nextLink": link})
    error = error_of(lambda: provider.applications(scene.tenant, TOKEN_FREE))
    assert (type(error), error.code) == (Retryable, "azure.unreadable_answer")
    assert all(url.startswith(f"{HOST}/v1.0/") for url in transport.urls)
    assert len(transport.urls) <= 2


@pytest.mark.parametrize("status", [403, 404])
def test_the_page_of_a_proxy_says_nothing_about_removals_and_reports(scene: ContractFixture, status: int) -> None:
    provider, transport = answering(scene, status, None)
    transport.answer = HttpResponse(status, {"content-type": "text/html"}, b"<html>blocked</html>")
    error = error_of(lambda: provider.remove_password(scene.tenant, TOKEN_FREE, scene.app.object_id, REQUEST))
    assert (type(error), error.code) == (Unanswered, "azure.unreadable_answer")
    report = provider.use_reports.last_used(scene.tenant, TOKEN_FREE, scene.app.app_id)
    assert report.trouble is not None
    assert report.trouble.reason is Unobservable.PROVIDER
