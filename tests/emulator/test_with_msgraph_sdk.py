"""msgraph-sdk, unmodified, over TLS. One file, so that its large import is paid once."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import pytest
from azure.identity import ClientSecretCredential

from entra_emulator import ApplicationHandle, Effect

with warnings.catch_warnings():  # the SDK warns about its own parts when it is imported
    warnings.simplefilter("ignore", DeprecationWarning)
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
    from msgraph.generated.applications.applications_request_builder import ApplicationsRequestBuilder
    from msgraph.generated.applications.item.add_password.add_password_post_request_body import (
        AddPasswordPostRequestBody,
    )
    from msgraph.generated.applications.item.remove_password.remove_password_post_request_body import (
        RemovePasswordPostRequestBody,
    )
    from msgraph.generated.models.federated_identity_credential import FederatedIdentityCredential
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph.generated.models.password_credential import PasswordCredential
    from msgraph.generated.models.service_principal import ServicePrincipal
    from msgraph.graph_request_adapter import GraphRequestAdapter, options
    from msgraph.graph_service_client import GraphServiceClient
    from msgraph_core import GraphClientFactory  # type: ignore[import-untyped]

    from tests.emulator.conftest import Served

# The SDK warns about its own parts at run time too.
pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
T = TypeVar("T")
Query = ApplicationsRequestBuilder.ApplicationsRequestBuilderGetQueryParameters


def run(world: Served, work: Callable[[GraphServiceClient], Awaitable[T]], app: ApplicationHandle | None = None) -> T:
    who = app or world.demo.wide

    async def inner() -> T:
        with ClientSecretCredential(
            world.demo.tenant_id,
            who.app_id,
            who.secrets[0].value,
            authority=world.running.authority,
            disable_instance_discovery=True,
        ) as credential:
            scopes = ["https://graph.microsoft.com/.default"]
            provider = AzureIdentityAuthenticationProvider(credential, scopes=scopes)
            http = GraphClientFactory.create_with_default_middleware(options=options)
            client = GraphServiceClient(request_adapter=GraphRequestAdapter(provider, client=http))
            client.request_adapter.base_url = world.running.graph
            try:
                return await work(client)
            finally:  # closing the SDK's client does not close the connections it wraps
                await http._transport.transport.aclose()

    return asyncio.run(inner())


def add_body(name: str) -> AddPasswordPostRequestBody:
    end = datetime(2027, 1, 1, tzinfo=UTC)
    return AddPasswordPostRequestBody(password_credential=PasswordCredential(display_name=name, end_date_time=end))


def test_the_sdk_filters_the_list_by_app_id(world: Served) -> None:
    app = world.demo.connection

    async def work(client: GraphServiceClient) -> list[str | None]:
        query = Query(filter=f"appId eq '{app.app_id}'", select=["id", "displayName"])
        response = await client.applications.get(RequestConfiguration(query_parameters=query))
        assert response is not None
        return [item.id for item in response.value or []]

    assert run(world, work) == [app.object_id]


def test_the_sdk_pages_through_a_list(world: Served) -> None:
    expected = {world.emulator.admin.create_application(world.demo.tenant_id, f"page {n}").app_id for n in range(5)}

    async def work(client: GraphServiceClient) -> tuple[int, set[str | None]]:
        query = Query(filter="startswith(displayName,'page ')", top=2)
        response = await client.applications.get(RequestConfiguration(query_parameters=query))
        pages, app_ids = 0, set()
        while response is not None:
            pages += 1
            app_ids |= {item.app_id for item in response.value or []}
            link = response.odata_next_link
            response = await client.applications.with_url(link).get() if link else None
        return pages, app_ids

    assert run(world, work) == (3, expected)


def test_the_sdk_reads_one_application_by_object_id_and_by_app_id(world: Served) -> None:
    app = world.demo.connection

    async def work(client: GraphServiceClient) -> tuple[str | None, str | None, str | None]:
        application = await client.applications.by_application_id(app.object_id).get()
        other = await client.applications_with_app_id(app.app_id).get()
        assert application is not None
        assert other is not None
        (secret,) = application.password_credentials or []
        return application.app_id, other.id, secret.hint

    assert run(world, work) == (app.app_id, app.object_id, app.secrets[0].value[:3])


def test_the_sdk_adds_and_removes_a_password(world: Served) -> None:
    app = world.emulator.admin.create_application(world.demo.tenant_id, "rotated by the SDK", secrets=0)

    async def work(client: GraphServiceClient) -> tuple[PasswordCredential | None, int]:
        item = client.applications.by_application_id(app.object_id)
        secret = await item.add_password.post(add_body("from the SDK"))
        assert secret is not None
        count = len(world.emulator.admin.secrets(app.object_id))
        await item.remove_password.post(RemovePasswordPostRequestBody(key_id=secret.key_id))
        return secret, count

    secret, count = run(world, work)
    assert secret is not None
    assert len(secret.secret_text or "") == 40
    assert secret.display_name == "from the SDK"
    assert secret.end_date_time == datetime(2027, 1, 1, tzinfo=UTC)
    assert (count, world.emulator.admin.secrets(app.object_id)) == (1, [])


def test_the_sdk_reads_the_error_object_of_an_unknown_key(world: Served) -> None:
    app = world.demo.connection

    async def work(client: GraphServiceClient) -> None:
        body = RemovePasswordPostRequestBody(key_id=UUID("11111111-1111-4111-8111-111111111111"))
        await client.applications.by_application_id(app.object_id).remove_password.post(body)

    with pytest.raises(ODataError) as caught:
        run(world, work)
    error = caught.value.error
    assert caught.value.response_status_code == 400
    assert error is not None
    assert error.code == "Request_BadRequest"
    assert "No password credential found with keyId" in (error.message or "")
    assert error.inner_error is not None
    assert error.inner_error.request_id


def test_the_sdk_reads_403_for_a_caller_without_permission_and_404_for_an_unknown_object(world: Served) -> None:
    async def read(client: GraphServiceClient) -> None:
        await client.applications.by_application_id(world.demo.connection.object_id).get()

    async def read_nothing(client: GraphServiceClient) -> None:
        await client.applications.by_application_id("22222222-2222-4222-8222-222222222222").get()

    with pytest.raises(ODataError) as refused:
        run(world, read, world.demo.powerless)
    assert refused.value.error is not None
    assert refused.value.error.code == "Authorization_RequestDenied"
    with pytest.raises(ODataError) as missing:
        run(world, read_nothing)
    assert missing.value.error is not None
    assert missing.value.error.code == "Request_ResourceNotFound"


def test_the_sdks_own_retries_leave_a_secret_behind_for_each_lost_answer(world: Served) -> None:
    """Why a rotator must not let a client retry addPassword."""
    app = world.emulator.admin.create_application(world.demo.tenant_id, "retried", secrets=0)
    no_wait = Effect(503, "ServiceUnavailable", "The service is unavailable.", retry_after=1)
    world.emulator.faults.fail_next("addPassword", no_wait)

    async def work(client: GraphServiceClient) -> PasswordCredential | None:
        return await client.applications.by_application_id(app.object_id).add_password.post(add_body("twice"))

    secret = run(world, work)
    secrets = world.emulator.admin.secrets(app.object_id)
    assert secret is not None
    assert [item.display_name for item in secrets] == ["twice", "twice"]
    assert secrets[-1].key_id == str(secret.key_id)


def test_the_sdk_answers_a_challenge_of_continuous_access_evaluation(world: Served) -> None:
    """The credential that the SDK uses declares CP1 and asks for a newer token when it is challenged."""
    admin = world.emulator.admin
    reader = admin.create_application(world.demo.tenant_id, "reader", permissions=("Application.Read.All",))

    async def switch(client: GraphServiceClient) -> None:
        principal = client.service_principals.by_service_principal_id(reader.principal_id)
        for enabled in (False, True):
            world.emulator.clock.advance(5)
            await principal.patch(ServicePrincipal(account_enabled=enabled))

    async def work(client: GraphServiceClient) -> None:
        application = client.applications.by_application_id(reader.object_id)
        assert await application.get()
        await asyncio.to_thread(run, world, switch)
        assert await application.get()

    run(world, work, reader)
    read = [
        entry
        for entry in world.emulator.ledger
        if entry.caller == reader.app_id and entry.operation == "getApplication"
    ]
    assert [entry.status for entry in read] == [200, 401, 200]


def test_the_sdk_manages_federated_credentials_and_reads_service_principals(world: Served) -> None:
    app = world.emulator.admin.create_application(world.demo.tenant_id, "federated", secrets=0)

    async def work(client: GraphServiceClient) -> tuple[str | None, int, str | None]:
        item = client.applications.by_application_id(app.object_id)
        credential = FederatedIdentityCredential(
            name="ci-1", issuer="https://ci.example", subject="repo:x", audiences=["api://AzureADTokenExchange"]
        )
        created = await item.federated_identity_credentials.post(credential)
        assert created is not None
        await item.federated_identity_credentials.by_federated_identity_credential_id(created.id or "").delete()
        remaining = await item.federated_identity_credentials.get()
        principal = await client.service_principals_with_app_id(app.app_id).get()
        assert remaining is not None
        assert principal is not None
        return created.name, len(remaining.value or []), principal.id

    assert run(world, work) == ("ci-1", 0, app.principal_id)


def test_the_sdk_reads_people_groups_and_what_changed(world: Served) -> None:
    admin = world.emulator.admin
    reader = admin.create_application(
        world.demo.tenant_id, "reads the directory", permissions=("Directory.Read.All", "Application.Read.All")
    )
    group = admin.create_group(world.demo.tenant_id, "Owners", members=(world.demo.ada,))

    async def work(client: GraphServiceClient) -> None:
        people = await client.users.get()
        assert people is not None
        assert world.demo.ada in {item.id for item in people.value or []}
        members = await client.groups.by_group_id(group).members.get()
        assert members is not None
        assert [type(item).__name__ for item in members.value or []] == ["User"]
        delta = await client.applications.delta.get()
        assert delta is not None
        assert delta.odata_delta_link
        again = await client.applications.delta.with_url(delta.odata_delta_link).get()
        assert again is not None
        assert again.value == []
        only_users = await client.groups.by_group_id(group).members.graph_user.get()
        assert only_users is not None
        assert [item.id for item in only_users.value or []] == [world.demo.ada]
        deleted = await client.directory.deleted_items.graph_application.get()
        assert deleted is not None
        changed = await client.groups.delta.get()
        assert changed is not None
        assert group in {item.id for item in changed.value or []}
        assigned = await client.service_principals.by_service_principal_id(
            reader.principal_id
        ).app_role_assignments.get()
        assert assigned is not None
        assert {item.resource_display_name for item in assigned.value or []} == {"Microsoft Graph"}

    run(world, work, reader)
