"""What scim2-client and scim2-tester do with a server: run by the Python that has them, with its address and a token.

Prints a line for each finding that is no success.
"""

import sys
import uuid

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import PatchOp, PatchOperation
from scim2_tester import Status, check_server


def main(url: str, token: str) -> None:
    http = httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60)
    client = SyncSCIMClient(http)
    client.discover()
    user, group = client.get_resource_model("User"), client.get_resource_model("Group")
    addresses = [f"{uuid.uuid4()}@example.com" for _ in range(500)]
    user.model_fields["user_name"].examples = addresses  # here a userName is an e-mail address
    results = check_server(client)
    for result in results:
        if result.status not in {Status.SUCCESS, Status.SKIPPED}:
            print(f"{result.title}: {result.reason}")
    print(f"{sum(result.status is Status.SUCCESS for result in results)} checks passed", file=sys.stderr)

    ada = client.create(user(user_name="ada@contoso.test", external_id="object-id", active=True))
    found = client.query(user, query_parameters={"filter": 'userName eq "ADA@contoso.test"'})
    assert [each.id for each in found.resources] == [ada.id]
    assert ada.meta.version, "changes may expect it"
    everybody = client.query(user, query_parameters={"sortBy": "userName", "sortOrder": "descending"}).resources
    names = [each.user_name for each in everybody]
    assert names == sorted(names, reverse=True), names
    off = PatchOp[user](operations=[PatchOperation(op=PatchOperation.Op.replace_, path="active", value=False)])
    assert client.modify(user, ada.id, off).active is False
    team = client.create(group(display_name="Platform", members=[group.Members(value=ada.id)]))
    assert [each.value for each in client.query(group, team.id).members] == [ada.id]
    client.delete(group, team.id)
    client.delete(user, ada.id)
    assert client.query(user, query_parameters={"filter": 'externalId eq "object-id"'}).total_results == 0


if __name__ == "__main__":
    main(*sys.argv[1:])
