"""On behalf of: an API that was called by a person's client calls another API as that person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msal
import pytest
from azure.identity import OnBehalfOfCredential

from entra_emulator import ApplicationHandle, Response
from tests.emulator.conftest import Served
from tests.emulator.people import People, claims_of, code_of

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
READ = "https://graph.microsoft.com/User.Read"
BACK = "https://app.example.com/back"


@dataclass
class Chain:
    """A person signs in to `web`, which calls `api`, which calls Graph."""

    people: People
    api: ApplicationHandle

    def called_with(self, user: str | None = None) -> str:
        """The token with which `web` calls the API."""
        scope = f"api://{self.api.app_id}/user_impersonation"
        token: str = self.people.tokens(user, scope=scope)["access_token"]
        return token

    def ask(self, token: str, tenant: str | None = None, **changes: str) -> Response:
        form = {
            "grant_type": GRANT,
            "client_id": self.api.app_id,
            "client_secret": self.api.secrets[0].value,
            "assertion": token,
            "scope": READ,
            "requested_token_use": "on_behalf_of",
        } | changes
        return self.people.scene.post_form({name: text for name, text in form.items() if text}, tenant)


@pytest.fixture
def chain(people: People) -> Chain:
    admin = people.scene.emulator.admin
    api = people.scene.application("api", scopes=("User.Read", "Application.ReadWrite.All"))
    admin.consent(people.web.object_id, "user_impersonation", resource_app_id=api.app_id)
    admin.consent(api.object_id, "User.Read")
    return Chain(people, api)


def test_an_api_gets_a_token_of_the_person_who_called_it(chain: Chain) -> None:
    body = chain.ask(chain.called_with(), scope=f"{READ} openid profile offline_access").json()
    claims = claims_of(body["access_token"])
    assert (claims["oid"], claims["appid"], claims["scp"]) == (chain.people.ada, chain.api.app_id, "User.Read")
    assert body["scope"].split()[-1] == READ
    assert claims_of(body["id_token"])["aud"] == chain.api.app_id
    me = chain.people.graph(body["access_token"], "GET", "me").json()
    assert me["id"] == chain.people.ada
    form = {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]}
    later = chain.ask("", **form, requested_token_use="")
    assert claims_of(later.json()["access_token"])["oid"] == chain.people.ada
    entry = chain.people.scene.emulator.ledger.query(operation="token")[-2]
    assert (entry.grant, entry.user, entry.caller, entry.outcome) == (GRANT, chain.people.ada, chain.api.app_id, "0")
    assert not chain.people.scene.emulator.ledger.saw_plaintext(chain.called_with())


def test_default_and_shared_names_of_tenants_are_understood(chain: Chain) -> None:
    for scope, tenant in (("https://graph.microsoft.com/.default", None), (READ, "organizations")):
        token = chain.ask(chain.called_with(), tenant, scope=scope).json()["access_token"]
        assert claims_of(token)["scp"] == "User.Read"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"assertion": ""}, 900144),
        ({"assertion": "nonsense"}, 50013),
        ({"assertion": "a.b.c"}, 50013),
        ({"requested_token_use": ""}, 900144),
        ({"requested_token_use": "other"}, 900144),
        ({"scope": ""}, 900144),
        ({"client_secret": "wrong"}, 7000215),
        ({"client_secret": ""}, 7000218),
        ({"scope": "https://graph.microsoft.com/Application.ReadWrite.All"}, 65001),
        ({"scope": "https://graph.microsoft.com/Nothing.Here"}, 650053),
    ],
)
def test_what_does_not_fit_is_refused(chain: Chain, changes: dict[str, str], code: int) -> None:
    assert code_of(chain.ask(chain.called_with(), **changes)) == code


def test_only_a_fresh_token_of_a_person_for_this_very_api_is_taken(chain: Chain) -> None:
    people, scene = chain.people, chain.people.scene
    caller = scene.application("caller")
    for_graph = people.tokens(scope=READ + " Application.ReadWrite.All")["access_token"]
    of_program = scene.token(caller, scope=f"api://{chain.api.app_id}/.default").json()["access_token"]
    other = scene.application("other api")
    for_other = scene.token(caller, scope=f"api://{other.app_id}/.default").json()["access_token"]
    identity = people.tokens(scope="openid")["id_token"]
    for assertion, code in ((for_graph, 50013), (of_program, 7000114), (for_other, 500131), (identity, 240002)):
        refused = chain.ask(assertion)
        assert code_of(refused) == code, refused.json()
    token = chain.called_with()
    scene.clock.advance(86_400)
    late = chain.ask(token)
    assert (code_of(late), late.json()["error"]) == (500133, "invalid_grant")


def test_a_person_who_left_or_is_blocked_is_not_acted_for(chain: Chain) -> None:
    token, admin = chain.called_with(chain.people.ada), chain.people.scene.emulator.admin
    admin.set_user(chain.people.ada, enabled=False)
    assert code_of(chain.ask(token)) == 50057
    admin.delete_user(chain.people.ada)
    assert code_of(chain.ask(token)) == 500341


@pytest.mark.client
@pytest.mark.filterwarnings("ignore:response_mode")
def test_msal_and_azure_identity_act_on_behalf_of_whom_they_are_called_by(world: Served) -> None:
    admin, tenant = world.emulator.admin, world.demo.tenant_id
    web = admin.create_application(tenant, "front", redirect_uris=(BACK,))
    api = admin.create_application(tenant, "middle", scopes=("User.Read",))
    admin.consent(web.object_id, "user_impersonation", resource_app_id=api.app_id)
    admin.consent(api.object_id, "User.Read")
    ada = admin.create_user(tenant, "Otto Obo")

    def client(app: ApplicationHandle) -> msal.ConfidentialClientApplication:
        return msal.ConfidentialClientApplication(
            app.app_id, client_credential=app.secrets[0].value, authority=world.authority, instance_discovery=False
        )

    front = client(web)
    flow = front.initiate_auth_code_flow([f"api://{api.app_id}/user_impersonation"], redirect_uri=BACK)
    answer = dict(parse_qsl(urlsplit(admin.authorize(flow["auth_uri"], user=ada)).query))
    token = front.acquire_token_by_auth_code_flow(flow, answer)["access_token"]
    got: dict[str, Any] = client(api).acquire_token_on_behalf_of(token, [READ])
    assert claims_of(got["access_token"])["oid"] == ada
    refused: dict[str, Any] = client(api).acquire_token_on_behalf_of("x.y.z", [READ])
    assert (refused["error"], refused["error_codes"]) == ("invalid_grant", [50013])
    with OnBehalfOfCredential(
        tenant,
        api.app_id,
        client_secret=api.secrets[0].value,
        user_assertion=token,
        authority=world.running.authority,
        disable_instance_discovery=True,
    ) as credential:
        assert claims_of(credential.get_token(READ).token)["oid"] == ada
