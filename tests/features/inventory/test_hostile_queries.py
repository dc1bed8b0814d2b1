"""Whatever stands in an address of the inventory is answered, or refused in words: never by an error of the server."""

from pathlib import Path
from urllib.parse import quote

from keyturn.db.unit import Database
from tests.features.inventory.scene import tenant
from tests.features.inventory.test_inventory_http import ALL, Desk, served

TEXTS = ("%00", "%FF%FE", "%ED%A0%80", quote("'; -- % _ \\ /"), "a+" * 99, quote("ß" * 200))
NUMBERS = ("-1", "36500", "9" * 40, "NaN", "")
WORDS = ("TRUE", "%00")
OF_API = {
    "search": TEXTS,
    "audience": (*TEXTS, ""),
    **dict.fromkeys(("endsWithinDays", "olderThanDays", "livesLongerThanDays", "quietForDays"), NUMBERS),
    **dict.fromkeys(("offset", "limit"), (*NUMBERS, "10000000")),
    **dict.fromkeys(("kind", "objectType", "owners", "origin", "finding", "policy", "sort", "order"), WORDS),
    **dict.fromkeys(("rotated", "disabled", "expired", "hasSlot", "foreign", "lastSuccess", "unknown"), WORDS),
}
OF_PAGE = {
    "q": TEXTS,
    "audience": (*TEXTS, ""),
    **dict.fromkeys(("within", "older", "lives", "quiet"), NUMBERS),
    "page": (*NUMBERS, "1000000"),
    **dict.fromkeys(("kind", "object", "owners", "origin", "finding", "policy", "sort", "order"), WORDS),
    **dict.fromkeys(("rotated", "disabled", "ended", "slots", "foreign", "success", "unknown"), WORDS),
}


def look(desk: Desk, path: str) -> int:
    headers = {"sec-fetch-site": "same-origin", "accept": "text/html", "cookie": "keyturn_session=x"}
    return int(desk.client.request("GET", path, headers=headers).status_code)


def test_nothing_in_an_address_is_an_error_of_the_server(database: Database, tmp_path: Path) -> None:
    with tenant(database) as scene, served(scene, tmp_path) as desk:
        scene.application("Shop", secrets=1)
        scene.switch_on()
        inventory_id = scene.read().inventory.id
        listed = f"{ALL}/{inventory_id}/credentials"
        asked = [f"{listed}?{name}={value}" for name, values in OF_API.items() for value in values]
        asked += [f"{listed}.csv?{name}={value}" for name in ("search", "audience", "kind") for value in OF_API[name]]
        answers = {path: desk.send("GET", path).status_code for path in asked}
        pages = [f"/inventory/{inventory_id}?{name}={value}" for name, values in OF_PAGE.items() for value in values]
        pages += [f"/inventory/{inventory_id}/rotate?application={value}" for value in WORDS]
        answers |= {path: look(desk, path) for path in pages}
    assert {path: status for path, status in answers.items() if status not in {200, 303, 400, 404, 422}} == {}
