"""People sign in and consent; the vendor's own library, unmodified, redeems the code and refreshes, over TLS."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msal
import pytest

from entra_emulator import ApplicationHandle
from tests.emulator.conftest import Served

pytestmark = [
    pytest.mark.client,
    pytest.mark.filterwarnings("ignore:response_mode"),  # MSAL would rather have a form posted back
]

SCOPES = ["https://graph.microsoft.com/Application.ReadWrite.All"]
BACK = "https://app.example.com/back"


@pytest.fixture
def web(world: Served) -> ApplicationHandle:
    return world.emulator.admin.create_application(
        world.demo.tenant_id, "a web application", redirect_uris=(BACK,), scopes=("Application.ReadWrite.All",)
    )


@pytest.fixture
def ada(world: Served) -> str:
    return world.emulator.admin.create_user(world.demo.tenant_id, "Ada Admin", roles=("Global Administrator",))


def client_of(world: Served, web: ApplicationHandle) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        web.app_id, client_credential=web.secrets[0].value, authority=world.authority, instance_discovery=False
    )


def answer_of(callback: str) -> dict[str, str]:
    assert callback.startswith(BACK)
    return dict(parse_qsl(urlsplit(callback).query))


def test_msal_redeems_a_code_with_pkce_and_nonce_and_refreshes(world: Served, web: ApplicationHandle, ada: str) -> None:
    client = client_of(world, web)
    flow = client.initiate_auth_code_flow(SCOPES, redirect_uri=BACK)
    callback = world.emulator.admin.authorize(flow["auth_uri"], user=ada)

    token = client.acquire_token_by_auth_code_flow(flow, answer_of(callback))

    assert token["id_token_claims"]["oid"] == ada
    assert token["refresh_token"]
    fresh = client_of(world, web).acquire_token_by_refresh_token(token["refresh_token"], SCOPES)
    assert fresh["access_token"]
    assert fresh["refresh_token"] != token["refresh_token"]


def test_a_code_is_redeemed_once(world: Served, web: ApplicationHandle, ada: str) -> None:
    flow = client_of(world, web).initiate_auth_code_flow(SCOPES, redirect_uri=BACK)
    answer = answer_of(world.emulator.admin.authorize(flow["auth_uri"], user=ada))
    client_of(world, web).acquire_token_by_auth_code_flow(dict(flow), answer)

    again: dict[str, Any] = client_of(world, web).acquire_token_by_auth_code_flow(dict(flow), answer)

    assert again["error"] == "invalid_grant"
    assert 54005 in again["error_codes"]


def test_a_code_needs_the_verifier_of_its_own_flow(world: Served, web: ApplicationHandle, ada: str) -> None:
    mine = client_of(world, web).initiate_auth_code_flow(SCOPES, redirect_uri=BACK)
    other = client_of(world, web).initiate_auth_code_flow(SCOPES, redirect_uri=BACK)
    answer = answer_of(world.emulator.admin.authorize(other["auth_uri"], user=ada))

    refused: dict[str, Any] = client_of(world, web).acquire_token_by_auth_code_flow(
        mine, answer | {"state": mine["state"]}
    )

    assert 501481 in refused["error_codes"]


def test_a_code_lives_ten_minutes(world: Served, web: ApplicationHandle, ada: str) -> None:
    flow = client_of(world, web).initiate_auth_code_flow(SCOPES, redirect_uri=BACK)
    answer = answer_of(world.emulator.admin.authorize(flow["auth_uri"], user=ada))
    world.emulator.admin.configure(world.demo.tenant_id, code_lifetime=0.0)
    try:
        late: dict[str, Any] = client_of(world, web).acquire_token_by_auth_code_flow(flow, answer)
    finally:
        world.emulator.admin.configure(world.demo.tenant_id, code_lifetime=600.0)
    assert 70008 in late["error_codes"]


def test_declining_the_consent_calls_back_with_65004(world: Served, web: ApplicationHandle, ada: str) -> None:
    flow = client_of(world, web).initiate_auth_code_flow(SCOPES, redirect_uri=BACK)
    answer = answer_of(world.emulator.admin.authorize(flow["auth_uri"], user=ada, decline=True))
    assert answer["error"] in {"consent_required", "access_denied"}
    assert "AADSTS65004" in answer["error_description"]


def test_an_idle_refresh_token_is_refused(world: Served, web: ApplicationHandle, ada: str) -> None:
    flow = client_of(world, web).initiate_auth_code_flow(SCOPES, redirect_uri=BACK)
    answer = answer_of(world.emulator.admin.authorize(flow["auth_uri"], user=ada))
    token = client_of(world, web).acquire_token_by_auth_code_flow(flow, answer)
    world.emulator.admin.configure(world.demo.tenant_id, refresh_token_idle=0.0)
    try:
        refused: dict[str, Any] = client_of(world, web).acquire_token_by_refresh_token(token["refresh_token"], SCOPES)
    finally:
        world.emulator.admin.configure(world.demo.tenant_id, refresh_token_idle=7_776_000.0)
    assert 700082 in refused["error_codes"]
