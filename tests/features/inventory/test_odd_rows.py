"""What nobody expects in a directory stands in the list as it is: odd names and dates, hundreds of secrets on one application."""

import csv
import io
import random
import string
from pathlib import Path

from keyturn.db.unit import Database
from keyturn.inventory import export
from keyturn.inventory.domain import Finding, InventoryFilter, Origin
from keyturn.inventory.list_store import Slice
from keyturn.inventory.plan import Phase
from tests.databases import sqlite_database
from tests.features.inventory.scene import DAY, OWNED, Tenant, tenant
from tests.features.methods.certificates import pair

YEAR_1, YEAR_1970, YEAR_9999 = -62_135_596_800.0, 0.0, 253_402_300_799.0
LONG = "".join(random.Random(7).choices(string.ascii_letters + "äöü漢字", k=10_000))
NAMES = (
    'quoted "twice"',
    "two\nlines",
    "=cmd()",
    "@SUM(1)",
    "\tplus",
    "\u202egnirts\u202c",
    "عربي",
    "nul\u0000inside",
    "half\ud800",
    " ",
    "%_\\",
    LONG,
)


def test_names_of_any_kind_are_listed_found_and_exported(database: Database) -> None:
    with tenant(database) as scene:
        for name in NAMES:
            scene.application(name, secrets=1)
        scene.switch_on()
        view = scene.read()
        rows = scene.rows(kind="client-secret")
        assert len(rows) == len(NAMES) + 2
        for word in ("twice", "lines", "gnirts", "عربي", "inside", "half", "%_\\", LONG[200:210].lower()):
            assert len(scene.rows(words=(word,))) == 1, word
        parts = scene.inventories.export(scene.world.actor, view.inventory.id, InventoryFilter())
        lines = [export.values(row, scene.world.clock.now()) for part in parts for row in part]
        text = (export.header() + export.lines(lines)).decode()
        read = list(csv.DictReader(io.StringIO(text)))
        assert len(read) == len(lines)
        assert not [each for each in read if each["displayName"].startswith(("=", "+", "@", "\t"))]


def test_dates_of_any_year_are_listed_sorted_and_filtered(database: Database) -> None:
    with tenant(database) as scene:
        admin = scene.world.emulator.admin
        shop = scene.application("Shop")
        for name, start, end in (
            ("first year", YEAR_1, YEAR_1 + DAY),
            ("seventies", YEAR_1970, YEAR_1970 + DAY),
            ("far", YEAR_1970, 10_413_792_000.0),
            ("last", YEAR_1, YEAR_9999),
        ):
            admin.add_secret(shop.object_id, name, start=start, end=end)
        admin.add_secret(shop.object_id, None, hinted=False)
        scene.switch_on()
        view = scene.read()
        names = [row.entry.key_name for row in scene.rows(words=("shop",))]
        assert names == [None, "far", "last", "seventies", "first year"]
        ended = [row.entry.key_name for row in scene.rows(words=("shop",), expired=True)]
        assert ended == ["seventies", "first year"]
        assert [row.entry.key_name for row in scene.rows(longer_than_days=36_000)] == ["far", "last"]
        assert len(scene.rows(older_than_days=10_000)) == 4
        assert {row.entry.key_name for row in scene.rows(finding=Finding.LIVES_TOO_LONG, words=("shop",))} == {
            *("far", "last"),
            None,
        }
        lines = [export.values(row, scene.world.clock.now()) for row in scene.rows()]
        assert export.lines(lines)
        assert view.counts.credentials == len(lines)


def test_a_credential_that_begins_in_the_first_year_may_appear(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, tenant(database) as scene:
        world = scene.world
        world.connect()
        world.settle()
        scene.switch_on()
        scene.read()
        world.clock.advance(1)
        stray = world.emulator.admin.add_secret(world.application.object_id, "stray", start=YEAR_1, end=YEAR_9999)
        scene.pass_time(4)
        assert [row.entry.key_id for row in scene.rows(finding=Finding.APPEARED)] == [stray.key_id]
        view = scene.view()
        assert view is not None
        assert (view.inventory.phase, view.inventory.trouble) == (Phase.REST, None)
        assert world.events("foreign-credential-found")


def test_three_hundred_secrets_of_one_application_are_as_many_lines(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, tenant(database) as scene:
        shop = scene.application("Shop", secrets=300)
        scene.switch_on()
        view = scene.read()
        assert len(_pages(scene, view.inventory.id, "shop")) == 300
        one = shop.secrets[123]
        assert [row.entry.key_id for row in scene.rows(words=("shop", one.key_id))] == [one.key_id]


def test_a_certificate_with_the_key_id_of_a_rotated_secret_is_made_by_another(database: Database) -> None:
    """Whoever adds a certificate chooses its key id."""
    with tenant(database) as scene:
        world = scene.world
        world.connect()
        world.settle()
        (key_id,) = (each.key_id for each in world.emulator.admin.secrets(world.application.object_id))
        shop = scene.application("Shop")
        given = {"type": "AsymmetricX509Cert", "usage": "Verify", "keyId": key_id}
        key = "".join(pair().pem.splitlines()[1:-1])
        scene.administer("PATCH", f"applications/{shop.object_id}", {"keyCredentials": [{**given, "key": key}]})
        scene.switch_on()
        scene.read()
        origins = {row.entry.name: (row.origin, row.rotation is not None) for row in scene.rows(words=(key_id,))}
        assert origins == {"Shop": (Origin.FOREIGN, False), world.application.display_name: (Origin.OURS, True)}
        for origin in Origin:
            found = {row.entry.name for row in scene.rows(words=(key_id,), origin=origin)}
            assert found == {name for name, (made, _) in origins.items() if made is origin}, origin


def test_all_owners_are_counted_and_managed_identities_are_left_out(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, tenant(database, OWNED) as scene:
        admin, world = scene.world.emulator.admin, scene.world
        owners = [admin.create_user(world.tenant_id, f"owner {number:03}") for number in range(130)]
        reader = world.applications[scene.reader.client_id].principal_id
        scene.application("Shop", owners=(reader, *owners), secrets=1)
        scene.switch_on()
        scene.read()
        (row,) = scene.rows(words=("shop",))
        assert len(row.owners) == 131


def _pages(scene: Tenant, inventory_id: str, word: str) -> set[str | None]:
    asked, found = InventoryFilter(words=(word,)), set[str | None]()
    for offset in range(0, 400, 50):
        page = scene.inventories.page(scene.world.actor, inventory_id, asked, Slice(offset=offset))
        found |= {row.entry.key_id for row in page.rows}
    return found
