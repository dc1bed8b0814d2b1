"""The pages and the JSON of connections and of secret rotations, served in process to whoever has signed in."""

import html
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keyturn.accounts.service import Access
from keyturn.alarms.owners import Owners
from keyturn.api.deletions import routes as deletion_routes
from keyturn.api.receipts import routes as receipt_routes
from keyturn.api.rotations import routes as rotation_routes
from keyturn.audit.checks import ChainChecks
from keyturn.audit.service import AuditTrail
from keyturn.crypto.keyring import Keyring, KeyringDigests
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.inventory.service import Inventories
from keyturn.kit.actor import Actor
from keyturn.pages import TEMPLATES, approvals, audit, connections, freezes, receipts, rotations
from keyturn.pages.connections.urls import ConnectionPages
from keyturn.pages.owner_choice import OwnerChoice
from keyturn.pages.project_header import ProjectHeaders
from keyturn.pages.projects import deletions
from keyturn.pages.rotations import RotationPages
from keyturn.projects.service import Projects
from keyturn.rotations import guards
from keyturn.rotations.receipts import Receipts
from keyturn.rotations.run_check import compare_runs
from keyturn.rotations.secret_rotations.search import SecretRotationSearch
from keyturn.secrets.restoring import Restoring
from keyturn.settings.model import Settings
from keyturn.web.cookies import SessionCookie
from keyturn.web.html.keeping import Keeper
from keyturn.web.html.render import Navigation, Renderer
from keyturn.web.pages import Site
from keyturn.web.server.app import build
from keyturn_simulation.world import ROOT_KEY
from tests.client import Client
from tests.features.rotations.applications import Applications


class PageClient:
    """A browser and a program of ``who``, at first the scene's administrator."""

    def __init__(self, client: Client, who: Actor) -> None:
        self._client, self.who = client, who

    def page(self, url: str, expect: int = 200) -> str:
        return self._shown("GET", url, None, expect)

    def sent(self, url: str, form: dict[str, str | list[str]]) -> str:
        """Send a form that is answered with a page."""
        return self._shown("POST", url, form, 200)

    def file(self, url: str) -> str:
        """Return a file as it is."""
        answer = self._client.request(
            "GET", url, headers={"sec-fetch-site": "same-origin", "cookie": "keyturn_session=x"}
        )
        assert answer.status_code == 200, answer.text
        return answer.text

    def done(self, url: str, **form: str) -> None:
        """Send a form that leads to another page."""
        self._shown("POST", url, form, 303)

    def refused(self, url: str, **form: str) -> str:
        """Send a form that must be refused, and return the page that says why."""
        return self._shown("POST", url, form, 400)

    def forbidden(self, url: str, **form: str) -> str:
        """Send a form that somebody may not send alone, and return the page that says so."""
        return self._shown("POST", url, form, 403)

    def wrong(self, url: str, **form: str) -> str:
        """Send a form with a fault in it, and return the page that says which."""
        return self._shown("POST", url, form, 422)

    def _shown(self, method: str, url: str, form: Mapping[str, str | list[str]] | None, expect: int) -> str:
        headers = {"sec-fetch-site": "same-origin", "accept": "text/html", "cookie": "keyturn_session=x"}
        answer = self._client.request(method, url, data=form, headers=headers, follow_redirects=False)
        assert answer.status_code == expect, answer.text
        # Sentences are looked for as they are read: ids and days in them are marked, to stand on one line.
        text = re.sub(r'<span class="whole">(.*?)</span>', r"\1", answer.text)
        return " ".join(html.unescape(text).split())

    def json(self, method: str, url: str, body: object = None, **query: Any) -> Any:
        headers = {"authorization": "Bearer x"}
        answer = self._client.request(method, url, json=body, headers=headers, params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def page_desk(scene: Applications, folder: Path) -> Iterator[PageClient]:
    """Serve them over the use cases of the scene's world."""
    world, use_cases = scene.world, scene.world.services
    database, clock, ids = world.database, world.clock, world.ids
    digests = KeyringDigests(Keyring.open(database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), clock))
    projects, trail = (
        Projects(database, clock, ids, environment_guards=[guards.refuse_environment]),
        AuditTrail(database),
    )
    folders = scene.secrets.folders
    access = Access(database, clock, ids, sealer=world.sealer, digests=digests)
    heads, owner = ProjectHeaders(access, projects), OwnerChoice(Owners(database, clock), access)
    of_rotations = RotationPages(
        use_cases.secret_rotations,
        use_cases.secret_values,
        use_cases.secret_history,
        use_cases.secret_plans,
        use_cases.secret_consumers,
        use_cases.connections,
        use_cases.applications,
        projects,
        trail,
        heads,
        clock,
        use_cases.providers,
        SecretRotationSearch(database, clock),
        owner,
        use_cases.approvals,
        use_cases.removals,
    )
    of_connections = ConnectionPages(
        use_cases.connections,
        use_cases.rotations,
        use_cases.history,
        use_cases.overviews,
        use_cases.removals,
        use_cases.sign_ins,
        use_cases.tests,
        use_cases.search,
        trail,
        heads,
        clock,
        use_cases.providers,
        owner,
        use_cases.approvals,
        use_cases.conversions,
        Inventories(database, clock),
        oauth=True,
    )
    api = rotation_routes.router(
        use_cases.secret_rotations,
        use_cases.secret_values,
        use_cases.secret_history,
        use_cases.secret_plans,
        use_cases.change_previews,
        use_cases.secret_consumers,
        use_cases.approvals,
        clock,
    )
    site = Site(
        Renderer(clock, folders=(TEMPLATES,)),
        lambda _session, _ip: opened.who,
        lambda actor: Navigation("Contoso", actor.name, actor.role.value),
        SessionCookie(secure=False),
        None,
        Keeper(digests, clock),
    )
    signed = Receipts(database, world.sealer, clock)
    app = build(
        [
            rotations.router(of_rotations),
            connections.router(of_connections),
            approvals.router(use_cases.approvals, use_cases.approved_changes, heads, clock),
            freezes.router(use_cases.freezes, heads, clock),
            audit.router(trail, ChainChecks(database, clock, compare=compare_runs), access),
            receipts.router(signed),
            receipt_routes.router(signed),
            deletions.router(use_cases.place_deletions(projects, folders), Restoring(database, clock, folders), heads),
            api,
            deletion_routes.router(use_cases.place_deletions(projects, folders), Restoring(database, clock, folders)),
        ],
        authenticate=lambda _token, _ip: opened.who,
        settings=Settings(data_dir=folder, database_url="sqlite://"),
        clock=clock,
        ids=ids,
        site=site,
    )
    with Client(app) as client:
        opened = PageClient(client, scene.actor)
        yield opened
