"""A provider is one folder: a toy one, built in a temporary folder, gets its form, its API, its documentation and its rotations.

Nothing outside that folder names it, but the list of providers that the server is started with.
"""

import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.app.core import open_core
from keyturn.app.web import open_access, web_application
from keyturn.db.tables import rotations
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.clock import MovableClock, SystemClock
from keyturn.kit.secret import Plaintext
from keyturn.people.sessions import BrowserInfo
from keyturn.providers.registry import Providers
from keyturn.rotations.domain import RotationKind
from keyturn.rotations.targets import ConnectionCredential
from keyturn.rotations.work.context import WorkerContext
from keyturn.rotations.work.workflow import Rotator
from keyturn.settings.reader import read_settings
from keyturn.tokens.domain import Origin
from tests.client import Client

TOY = "/api/v1/app-connections/toy"
FORM = "/organization/app-connections/new/toy"
SCHEDULE = {"rotationInterval": 7, "rotateAtUtc": {"hours": 2, "minutes": 15}}


@dataclass
class Playroom:
    """A server with the toy provider beside Azure: ``toys`` is what the provider talks to."""

    client: Client
    toys: Any
    clock: MovableClock
    context: WorkerContext
    token: dict[str, str]
    cookie: dict[str, str]

    def ask(self, method: str, path: str, body: object = None, expect: int = 200) -> Any:
        answer = self.client.request(method, path, json=body, headers=self.token)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def page(self, path: str, form: dict[str, str] | None = None) -> str:
        answer = self.client.request("POST" if form else "GET", path, data=form, headers=self.cookie)
        assert answer.status_code in {200, 400, 422}, answer.text
        return answer.text

    def settle(self) -> None:
        """Work until no rotation is due within an hour."""
        for _ in range(200):
            with self.context.database.read() as tx:
                row = tx.rows(sa.select(rotations.c.id, rotations.c.wake_at).order_by(rotations.c.wake_at))[0]
            if row["wake_at"] is None or (row["wake_at"] - self.clock.now()).total_seconds() > 3600:
                return
            self.clock.move_to(max(row["wake_at"], self.clock.now()))
            Rotator(self.context).advance(row["id"])
        raise AssertionError("the toy does not come to rest")


def load(folder: Path) -> ModuleType:
    """Copy the provider into a folder of its own, and import it from there."""
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("toy.py"), folder / "__init__.py")
    spec = importlib.util.spec_from_file_location("toy_provider", folder / "__init__.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_provider"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def playroom(tmp_path: Path) -> Iterator[Playroom]:
    toy, clock = load(tmp_path / "toy_provider"), MovableClock(SystemClock().now())
    settings = read_settings({"KEYTURN_DATA_DIR": str(tmp_path / "data"), "SITE_URL": "http://localhost:8080"})
    opened, toys = open_core(settings, lambda _sentence: None), toy.Toys()
    core = replace(opened, clock=clock, providers=Providers([opened.azure, toy.ToyProvider(toys)]))
    access = open_access(core)
    first = access.bootstrap("ada@contoso.test", Plaintext("vellum-orbit-pickle-94"), "Contoso")
    ada = Actor(ActorKind.USER, first.user.id, first.user.email, first.organization.id, Role.ADMIN)
    session = access.sessions.open_for(ada, BrowserInfo(Origin("127.0.0.1"))).reveal()
    targets = {RotationKind.CONNECTION: ConnectionCredential(core.database, core.sealer, core.providers)}
    context = WorkerContext(
        core.database, core.sealer, core.providers, clock, core.ids, settings.pace, core.process_id, targets
    )
    try:
        with Client(web_application(core, None)) as client:
            yield Playroom(
                client,
                toys,
                clock,
                context,
                {"authorization": f"Bearer {first.token.reveal()}"},
                {"cookie": f"keyturn_session={session}", "sec-fetch-site": "same-origin"},
            )
    finally:
        core.close()


def body(word: str, **more: Any) -> dict[str, Any]:
    return {"name": "by-toy", "method": "toy-word", "credentials": {"toyBox": "attic", "toyWord": word}, **more}


def test_its_form_api_and_documentation_have_its_fields(playroom: Playroom) -> None:
    form = playroom.page(FORM)
    assert "Connect to Toy Box" in form
    assert "The word that opens the toy box." in form
    assert 'name="toyBox"' in form
    (secret,) = re.findall(r'<input[^>]*name="toyWord"[^>]*>', form)
    assert 'type="password"' in secret
    assert "clientSecret" not in form
    assert "Toy Box" in playroom.page("/organization/app-connections")

    document = playroom.client.get("/api/docs/json").json()
    schemas = document["components"]["schemas"]
    assert schemas["ToyWordCredentials"]["properties"]["toyWord"]["writeOnly"] is True
    assert schemas["ToyWordCredentials"]["properties"]["toyWord"]["description"] == "A toy's word."
    assert schemas["ToyWordCredentials"]["required"] == ["toyBox", "toyWord"]
    assert "post" in document["paths"][TOY]
    assert "toyWord" in playroom.client.get("/api/docs/app-connections").text

    options = playroom.ask("GET", "/api/v1/app-connections/options")["appConnectionOptions"]
    assert [(one["app"], one["methods"]) for one in options][1] == ("toy", ["toy-word"])


def test_what_is_wrong_with_its_fields_is_said_at_each_of_them(playroom: Playroom) -> None:
    wrong = body("it") | {"credentials": {"toyBox": "no box", "toyWord": "it"}}
    issues = playroom.ask("POST", TOY, wrong, expect=422)["message"]
    assert {tuple(issue["path"]) for issue in issues} == {("credentials", "toyBox"), ("credentials", "toyWord")}
    same = playroom.ask("POST", TOY, body("attic"), expect=422)["message"]
    assert [issue["message"] for issue in same] == ["The word is the name of the box."]

    playroom.toys.add("attic", "hello-toys")
    refused = playroom.ask("POST", TOY, body("goodbye-toys"), expect=400)
    assert (refused["code"], refused["fix"]) == ("toy.word_wrong", "Look under the bed.")
    page = playroom.page(FORM, {"name": "by-form", "method": "toy-word", "toyBox": "attic", "toyWord": "goodbye-toys"})
    assert 'id="f-toyWord-error"' in page
    assert "goodbye-toys" not in page
    assert playroom.ask("GET", TOY)["appConnections"] == []


def test_it_connects_by_form_and_by_api_and_is_tested(playroom: Playroom) -> None:
    playroom.toys.add("attic", "hello-toys")
    made = playroom.ask("POST", TOY, body("hello-toys"))["appConnection"]
    assert (made["app"], made["method"], made["credentials"]["clientId"]) == ("toy", "toy-word", "attic")
    assert playroom.ask("PATCH", f"{TOY}/{made['id']}", {"credentials": body("hello-toys")["credentials"]})
    report = playroom.ask("POST", f"{TOY}/{made['id']}/test")
    assert [check["message"] for check in report["checks"]] == [
        "The toy box opens.",
        "The application is 'Box attic'.",
        "Its words may be changed.",
    ]
    form = {"name": "by-form", "method": "toy-word", "toyBox": "attic", "toyWord": "hello-toys"}
    assert "The Toy Box connection by-form is now available for use." in playroom.page(FORM, form)
    names = [one["name"] for one in playroom.ask("GET", TOY)["appConnections"]]
    assert names == ["by-form", "by-toy"]
    assert playroom.ask("GET", "/api/v1/app-connections/azure-client-secrets")["appConnections"] == []
    assert "Toy Word" in playroom.page(f"/app-connections/{made['id']}")


def of_microsoft(page: str) -> list[str]:
    """Return where the page's content, which is all but the navigation, names the other provider."""
    (content,) = re.findall(r"<main.*</main>", page, re.DOTALL)
    return re.findall(r".{0,40}(?:Microsoft|Entra|Azure).{0,40}", content)


def test_no_page_of_its_connection_names_the_other_provider(playroom: Playroom) -> None:
    playroom.toys.add("attic", "hello-toys")
    on = {"isAutoRotationEnabled": True, "rotation": SCHEDULE}
    made = playroom.ask("POST", TOY, body("hello-toys", **on))["appConnection"]
    playroom.settle()
    path = f"/app-connections/{made['id']}"
    assert "Remove the old secret from Toy Land" in playroom.page(path)
    for page in (FORM, path, f"{path}/schedule", f"{path}/credentials"):
        assert of_microsoft(playroom.page(page)) == [], page
    (listed,) = re.findall(
        r"<tr[^>]*>(?:(?!</tr>).)*by-toy.*?</tr>", playroom.page("/organization/app-connections"), re.DOTALL
    )
    assert not re.search("Microsoft|Entra|Azure", listed)

    playroom.toys.boxes["attic"] = {"toy-key-0": "somebody else's"}
    playroom.ask("POST", f"{path.replace('/app-connections', TOY)}/test")
    refused = playroom.page(path)
    assert "Toy Land since" in refused
    assert of_microsoft(refused) == []

    playroom.page(f"{path}/delete", {"confirm": "by-toy", "secrets": "all"})
    (removal,) = set(re.findall(r'href="(/removals/[^"]+)"', playroom.page("/organization/app-connections")))
    assert "Toy Land" in playroom.page(removal)
    assert of_microsoft(playroom.page(removal)) == []


def test_it_rotates_its_word_and_the_old_one_goes(playroom: Playroom) -> None:
    playroom.toys.add("attic", "hello-toys")
    made = playroom.ask("POST", TOY, body("hello-toys"))["appConnection"]
    on = {"isAutoRotationEnabled": True, "rotation": SCHEDULE}
    assert playroom.ask("PATCH", f"{TOY}/{made['id']}", on)["appConnection"]["isAutoRotationEnabled"]
    playroom.settle()
    shown = playroom.ask("GET", f"{TOY}/{made['id']}")["appConnection"]
    assert shown["rotation"]["rotationStatus"] == "success", shown["rotation"]["lastRotationMessage"]
    assert list(playroom.toys.boxes["attic"].values()) == ["toyish-word-2"], "the new word works, the old one is gone"
    assert playroom.ask("POST", f"{TOY}/{made['id']}/test")["ok"]
    runs = playroom.ask("GET", f"{TOY}/{made['id']}/rotation-runs")["rotationRuns"]
    assert [run["state"] for run in runs] == ["succeeded"]
