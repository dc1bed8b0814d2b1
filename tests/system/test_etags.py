"""What a client has already is not sent again: on every route that is read, and only while it is the same."""

import time

import pytest

from keyturn.web.reference.openapi import operations_of
from keyturn.web.unbuilt import TAG
from tests.system.estate import RunningServer
from tests.system.routes import rule_of, without_types

LIVE = {
    "/api/v1/app-connections/azure-client-secrets/{connection_id}/clients",
    "/api/v2/secret-rotations/azure-client-secret/{rotation_id}/plan",
    "/api/v2/secret-rotations/azure-client-secret/{rotation_id}/preview",
    "/api/v2/secret-rotations/azure-client-secret/{rotation_id}/consumers",
    "/api/v1/app-connections/azure-client-secrets/{connection_id}/preview",
    "/api/v1/organization/audit-logs",
    "/api/v1/rotation-runs/{run_id}/receipt",
    "/api/v1/receipt-key",
    "/api/v1/receipt-keys",
    "/api/v1/organization/audit-logs/head",
    "/api/v1/deletions/preview",
    "/api/v1/delivery/events",
    "/api/v1/inventories/{inventory_id}/credentials.csv",
    "/api/v1/inventories/{inventory_id}/applications/{object_id}/rotation-start",
}
"""Three ask Entra, which takes long, and answer what it says at the moment; four say what would be if something were done now;
two tell of the reads of this test, one has no end, two are files, and two are for everybody."""


def reads(whole: RunningServer) -> list[str]:
    paths = []
    for each in operations_of(whole.application.endpoints):
        path = without_types(each.path)
        if each.method != "GET" or each.tag == TAG or path in LIVE or not path.startswith("/api/v"):
            continue
        classified = rule_of("GET", path)
        assert classified is not None
        rule = classified[1]
        names = whole.things | {hole: whole.things[thing] for hole, thing in rule.fill.items()}
        paths.append((path + rule.query).format(**names))
    return paths


def test_every_read_has_a_tag_that_stays_while_nothing_changes(whole: RunningServer) -> None:
    bearer = {"authorization": f"Bearer {whole.token}"}
    paths = reads(whole)
    assert len(paths) > 30
    first = {path: whole.client.get(path, headers=bearer) for path in paths}
    time.sleep(0.002)  # whatever is counted in milliseconds has moved on
    for path, answer in first.items():
        if answer.status_code == 404:
            continue  # of a person's own account: the caller is a machine
        assert answer.status_code == 200, f"{path}: {answer.text}"
        again = whole.client.get(path, headers={"if-none-match": answer.headers["etag"], **bearer})
        assert (again.status_code, again.content) == (304, b""), path
        assert whole.client.get(path, headers={"if-none-match": answer.headers["etag"]}).status_code == 401, path


@pytest.mark.parametrize("by", ["name", "description"])
def test_a_change_changes_the_tag(whole: RunningServer, by: str) -> None:
    bearer = {"authorization": f"Bearer {whole.token}"}
    path = f"/api/v1/projects/{whole.things['project_id']}"
    etag = whole.client.get(path, headers=bearer).headers["etag"]
    assert whole.client.patch(path, json={by: "Changed"}, headers=bearer).status_code == 200
    after = whole.client.get(path, headers={"if-none-match": etag, **bearer})
    whole.put_back()
    assert (after.status_code, after.json()["project"][by]) == (200, "Changed")
