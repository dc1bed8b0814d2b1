"""The three ways that the product's documentation describes, in its order and its words."""

import re
import time

import jwt
from playwright.sync_api import Page, expect

from keyturn.projects.domain import Project
from tests.browser.conftest import Visit
from tests.browser.estate import ADMINISTRATOR, BrowserServer
from tests.browser.steps import choose_azure, client_secret, connect, fill
from tests.emulator.certificates import make_certificate


def test_oauth_as_documented(page: Page, estate: BrowserServer, project: Project) -> None:
    estate.emulator.admin.create_user(estate.tenant_id, "Olga Admin", roles=(ADMINISTRATOR,))
    choose_azure(page, estate, project)
    expect(page.get_by_label("Method")).to_have_value("oauth")
    fill(page, name="by-oauth", tenant=estate.tenant_id, method="OAuth")
    connect(page)
    page.get_by_role("button", name="Olga Admin").click()
    page.get_by_role("button", name="Accept").click()
    page.wait_for_url(estate.list_path(project))
    expect(page.get_by_role("status")).to_contain_text("by-oauth is now available for use")
    row = page.get_by_role("row").filter(has_text="by-oauth")
    expect(row).to_contain_text("OAuth")
    page.get_by_role("link", name="by-oauth").click()
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("heading", name="The connection works")).to_be_visible()


def test_client_secret_as_documented(page: Page, estate: BrowserServer, project: Project) -> None:
    application = estate.application("Payments API")
    choose_azure(page, estate, project)
    fill(page, **client_secret(estate, application, "prod-entra"))
    connect(page)
    page.wait_for_url(estate.list_path(project))
    row = page.get_by_role("row").filter(has_text="prod-entra")
    expect(row).to_contain_text("Client Secret")
    expect(row).to_contain_text("Not rotated")
    page.get_by_role("link", name="prod-entra").click()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()


def test_certificate_as_documented(page: Page, estate: BrowserServer, project: Project) -> None:
    application, certificate = estate.application("Batch"), make_certificate()
    key = certificate.private_pem.decode()
    estate.secret_texts.add(key.splitlines()[3])
    estate.emulator.admin.add_certificate(application.object_id, certificate.pem)
    choose_azure(page, estate, project)
    fill(page, name="by-certificate", method="Certificate", tenant=estate.tenant_id, client=application.app_id)
    fill(page, certificate=certificate.pem.decode(), key=key)
    connect(page)
    page.wait_for_url(estate.list_path(project))
    page.get_by_role("link", name="by-certificate").click()
    expect(page.get_by_role("heading", name="Certificate", exact=True)).to_be_visible()
    expect(page.get_by_text("Thumbprint")).to_be_visible()
    assert not estate.emulator.ledger.saw_plaintext(key.splitlines()[3])


def test_an_identity_of_the_server_needs_no_secret(page: Page, estate: BrowserServer, project: Project) -> None:
    issuer, subject, now = "https://cluster.example/", "system:serviceaccount:keyturn:server", int(time.time())
    application, certificate = estate.application("No secret", secrets_count=0), make_certificate()
    estate.emulator.admin.trust_issuer(issuer, "k1", certificate.public_key_pem)
    claims = {"iss": issuer, "sub": subject, "aud": "api://AzureADTokenExchange", "exp": now + 3600}
    token = jwt.encode(claims, certificate.key, algorithm="RS256", headers={"kid": "k1"})
    estate.secret_texts.add(token)
    (estate.core.settings.data_dir.parent / "cluster-token").write_text(token)
    choose_azure(page, estate, project)
    fill(page, name="no-secret", method="Federated Identity", tenant=estate.tenant_id, client=application.app_id)
    expect(page.get_by_label("Token Source")).to_have_value("cluster")
    connect(page)
    expect(page.locator("#f-tokenSource-error")).to_contain_text(subject)
    expect(page.get_by_text("az ad app federated-credential create")).to_be_visible()
    estate.emulator.admin.trust_identity(application.object_id, issuer, subject)
    connect(page)
    page.wait_for_url(estate.list_path(project))
    page.get_by_role("link", name="no-secret").click()
    expect(page.get_by_role("heading", name="No secret")).to_be_visible()
    expect(page.get_by_text(subject)).to_be_visible()
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("heading", name="The connection works")).to_be_visible()


def test_a_certificate_is_read_from_files(page: Page, estate: BrowserServer, project: Project) -> None:
    application, certificate = estate.application("Files"), make_certificate()
    estate.emulator.admin.add_certificate(application.object_id, certificate.pem)
    page.goto(estate.new_path(project))
    fill(page, name="from-files", method="Certificate", tenant=estate.tenant_id, client=application.app_id)
    page.locator("#upload-certificateBody").set_input_files(
        {"name": "client.cer", "mimeType": "application/pkix-cert", "buffer": certificate.der}
    )
    page.locator("#upload-privateKey").set_input_files(
        {"name": "client.key", "mimeType": "text/plain", "buffer": certificate.private_pem}
    )
    expect(page.get_by_label("Private Key")).to_have_value(re.compile("BEGIN PRIVATE KEY"))
    connect(page)
    page.wait_for_url(estate.list_path(project))


def test_automatic_credential_rotation_as_documented(page: Page, estate: BrowserServer, project: Project) -> None:
    application = estate.application("Rotating API")
    original = application.secrets[0]
    choose_azure(page, estate, project)
    fill(page, **client_secret(estate, application, "rotating"))
    page.get_by_role("switch", name="Automatic Credential Rotation").check()
    expect(page.get_by_label("Time Zone")).to_have_value("Europe/Oslo")
    fill(page, key_id=original.key_id, interval="45", at="03:30")
    connect(page)
    page.wait_for_url("**/app-connections/*")
    # The page follows by itself: nothing is loaded again here.
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    expect(page.get_by_text("Every 45 days at 03:30, Europe/Oslo.")).to_be_visible()
    expect(page.locator(".bar-current")).to_contain_text("Generation 1")
    expect(page.locator(".bar-ended")).to_contain_text("Given by you")
    expect(page.locator("#live")).not_to_have_attribute("data-live", re.compile("."))
    assert original.key_id not in {secret.key_id for secret in estate.emulator.admin.secrets(application.object_id)}
    expect(page.locator(".coming time")).to_have_count(5)


def test_a_certificate_rotates_without_a_key_id(page: Page, estate: BrowserServer, project: Project) -> None:
    application, certificate = estate.application("Rotating batch"), make_certificate()
    original = estate.emulator.admin.add_certificate(application.object_id, certificate.pem)
    page.goto(estate.new_path(project))
    fill(page, name="rolling", method="Certificate", tenant=estate.tenant_id, client=application.app_id)
    fill(page, certificate=certificate.pem.decode(), key=certificate.private_pem.decode())
    page.get_by_role("switch", name="Automatic Credential Rotation").check()
    expect(page.get_by_label("Client Secret Key ID")).not_to_be_visible()
    fill(page, interval="45", at="03:30")
    connect(page)
    page.wait_for_url("**/app-connections/*")
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    expect(page.locator(".bar-current")).to_contain_text("Generation 1")
    expect(page.locator("#live")).not_to_have_attribute("data-live", re.compile("."))
    keys = estate.emulator.admin.application(application.object_id).keys_held()
    assert original not in {key.key_id for key in keys}
    assert len(keys) == 1


def test_everything_works_without_script(visit: Visit, estate: BrowserServer, project: Project) -> None:
    application = estate.application("Plain API")
    with visit(java_script_enabled=False) as plain:
        page = plain.page()
        choose_without_script(page, estate, project)
        fill(page, **client_secret(estate, application, "plain"))
        page.get_by_role("switch", name="Automatic Credential Rotation").check()
        connect(page)
        page.wait_for_url("**/app-connections/*")
        page.goto(estate.list_path(project))
        page.get_by_label("Options of plain").click()
        page.get_by_role("button", name="Pause Rotation").click()
        expect(page.get_by_role("table").get_by_text("Paused", exact=True)).to_be_visible()
        page.get_by_label("Options of plain").click()
        page.get_by_role("link", name="Delete Connection").click()
        page.get_by_label("Type plain to confirm").fill("plain")
        page.get_by_role("button", name="Delete Connection").click()
        page.wait_for_url("**/removals/*")
        page.get_by_role("link", name="App Connections").last.click()
        page.wait_for_url(estate.list_path(project))
        expect(page.get_by_role("heading", name="No connections yet")).to_be_visible()


def choose_without_script(page: Page, estate: BrowserServer, project: Project) -> None:
    page.goto(estate.list_path(project))
    page.get_by_role("button", name="Add Connection").first.click()
    page.get_by_role("link", name="Azure Client Secrets").click()
