"""Connections by certificate and by OAuth over HTTP, against the emulator's own sign-in pages.

Every test of this folder is a test for canaries as well: no token, code, secret or key is in an answer or in a log line.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from entra_emulator.directory.roles import APPLICATION
from keyturn.db.unit import Database
from keyturn.providers.azure.managed_identity import ManagedIdentity
from keyturn.providers.token_sources import TokenFile, TokenSources
from keyturn_simulation.emulated import EmulatedTransport
from keyturn_simulation.world import make_world
from tests.features.connections.conftest import log
from tests.features.connections.desk import ApiClient, desk
from tests.features.methods.scene import WRITE_ALL, MethodsFixture, set_up

__all__ = ["log"]


@pytest.fixture
def scene(database: Database, tmp_path: Path, log: io.StringIO) -> Iterator[MethodsFixture]:
    world = make_world(database)
    machine = EmulatedTransport(world.emulator)
    files = {name: TokenFile(name, tmp_path / name) for name in ("aks", "other")}
    sources = TokenSources({**files, "vm": ManagedIdentity("vm", None, machine)})
    wire, app = set_up(world, sources=sources)
    admin = world.emulator.admin
    ada = admin.create_user(world.tenant_id, "Ada", roles=(APPLICATION,))
    ben, kim = admin.create_user(world.tenant_id, "Ben"), admin.create_user(world.tenant_id, "Kim")
    admin.create_application(world.tenant_id, "Of Ben", owners=(ben,))
    admin.consent(app.object_id, WRITE_ALL)
    with desk(world, tmp_path, oauth_client_id=app.app_id) as web:
        web.actors["admin-elsewhere"] = web.actors["admin"]  # the same user, signed in a second time
        web.actors["other-admin"] = web.actors["robot"]
        opened = MethodsFixture(web, wire, app, ada, ben, kim)
        yield opened
    output = log.getvalue() + "".join(text for text in web.answers if "authorizeUrl" not in text)
    assert "keyturn.access" in output
    leaked = [secret for secret in opened.secrets() | web.secrets() if secret in output]
    assert not leaked, "a secret shows"


@pytest.fixture
def web(scene: MethodsFixture) -> ApiClient:
    return scene.web
