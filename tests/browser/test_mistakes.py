"""What goes wrong when people connect: each a sentence at its place, with what to do, and nothing typed twice but secrets."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509 import load_der_x509_certificate
from playwright.sync_api import Page, expect

from keyturn.projects.domain import Project
from tests.browser.estate import BrowserServer
from tests.browser.steps import client_secret, connect, error_at, fill, refusal
from tests.emulator.certificates import make_certificate

WIDEST = """[...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth)
    .map((one) => `${one.tagName}.${one.className}`).slice(0, 12).join(" ")"""
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def form(page: Page, estate: BrowserServer, project: Project) -> Page:
    page.goto(estate.new_path(project))
    return page


# --- client secret ----------------------------------------------------------------------------------------------------


def test_an_empty_form_says_at_each_field_that_it_is_needed(form: Page) -> None:
    fill(form, method="Client Secret")
    connect(form)
    for label in ("Name", "Tenant ID", "Client ID", "Client Secret"):
        assert error_at(form, label) == "This is needed."
    expect(form.get_by_label("Name", exact=True)).to_be_focused()


def test_what_was_typed_stays_except_the_secret(form: Page, estate: BrowserServer) -> None:
    application = estate.application("Wrong secret")
    fields = client_secret(estate, application, "wrong-secret") | {"secret": "x" * 40}
    fill(form, **fields)
    connect(form)
    assert "does not accept the client secret" in refusal(form)
    assert "az ad app credential reset" in refusal(form)
    assert "does not accept" in error_at(form, "Client Secret")
    expect(form.get_by_label("Name", exact=True)).to_have_value("wrong-secret")
    expect(form.get_by_label("Tenant ID")).to_have_value(estate.tenant_id)
    expect(form.get_by_label("Client ID", exact=True)).to_have_value(application.app_id)
    expect(form.get_by_label("Client Secret", exact=True)).to_have_value("")
    fill(form, secret=application.secrets[0].value)
    connect(form)
    expect(form.get_by_role("status")).to_contain_text("wrong-secret is now available for use")


def test_a_secret_id_in_place_of_the_secret_is_told_apart(form: Page, estate: BrowserServer) -> None:
    application = estate.application("Pasted id")
    fill(form, **(client_secret(estate, application, "pasted") | {"secret": application.secrets[0].key_id}))
    connect(form)
    assert "This is the Secret ID of a client secret, not its Value." in error_at(form, "Client Secret")


def test_an_unknown_tenant_and_an_unknown_application(form: Page, estate: BrowserServer) -> None:
    application = estate.application("Somewhere")
    fill(form, **(client_secret(estate, application, "somewhere") | {"tenant": NOBODY}))
    connect(form)
    assert error_at(form, "Tenant ID")
    fill(form, tenant=estate.tenant_id, client=NOBODY, secret="x" * 40)
    connect(form)
    assert error_at(form, "Client ID")


def test_a_name_that_is_taken(form: Page, estate: BrowserServer, project: Project) -> None:
    estate.connect("taken", estate.application("First"), project)
    fill(form, **client_secret(estate, estate.application("Second"), "taken"))
    connect(form)
    assert "already exists here" in error_at(form, "Name")


def test_the_right_secret_is_chosen_from_those_that_begin_alike(
    form: Page, estate: BrowserServer, project: Project
) -> None:
    application = estate.application("Two alike")
    first = application.secrets[0]
    twin = first.value[:3] + "y" * 37
    estate.emulator.admin.add_secret(application.object_id, "the other one", value=twin)
    fill(form, **client_secret(estate, application, "two-alike"))
    form.get_by_role("switch", name="Automatic Credential Rotation").check()
    connect(form)
    assert "2 secrets of the application begin like the one given." in error_at(form, "Client Secret Key ID")
    expect(form.get_by_role("row").filter(has_text="the other one")).to_be_visible()
    form.get_by_role("radio", name=first.key_id).check()
    fill(form, secret=first.value)
    connect(form)
    form.wait_for_url("**/app-connections/*")


def test_the_key_id_of_another_secret_is_refused(form: Page, estate: BrowserServer) -> None:
    application = estate.application("Mixed up", secrets_count=2)
    fill(form, **client_secret(estate, application, "mixed-up"))
    form.get_by_role("switch", name="Automatic Credential Rotation").check()
    fill(form, key_id=application.secrets[1].key_id)
    connect(form)
    assert "belongs to another secret" in error_at(form, "Client Secret Key ID")
    expect(form.get_by_label("Client Secret Key ID")).to_have_value(application.secrets[1].key_id)


def test_a_schedule_that_makes_no_sense(form: Page, estate: BrowserServer) -> None:
    fill(form, **client_secret(estate, estate.application("Odd"), "odd"))
    form.get_by_role("switch", name="Automatic Credential Rotation").check()
    fill(form, interval="400", at="", zone="Europe/Olso")
    connect(form)
    assert error_at(form, "Rotation Interval") == "365 or less."
    assert "HH:MM" in error_at(form, "Rotate At")
    assert "Did you mean Europe/Oslo?" in error_at(form, "Time Zone")


def test_a_permission_that_is_missing_is_named(form: Page, estate: BrowserServer) -> None:
    powerless = estate.emulator.admin.create_application(estate.tenant_id, "Powerless")
    estate.secret_texts.add(powerless.secrets[0].value)
    fill(form, **client_secret(estate, powerless, "powerless"))
    form.get_by_role("switch", name="Automatic Credential Rotation").check()
    connect(form)
    assert "Application.ReadWrite.OwnedBy" in refusal(form)


# --- certificate ------------------------------------------------------------------------------------------------------


def test_certificate_and_key_that_do_not_belong_together(form: Page, estate: BrowserServer) -> None:
    application, certificate, other = estate.application("Mismatch"), make_certificate(), make_certificate()
    estate.secret_texts.add(other.private_pem.decode().splitlines()[3])
    fill(form, name="mismatch", method="Certificate", tenant=estate.tenant_id, client=application.app_id)
    fill(form, certificate=certificate.pem.decode(), key=other.private_pem.decode())
    connect(form)
    assert refusal(form)
    expect(form.get_by_label("Certificate (PEM format)")).to_have_value(re.compile("BEGIN CERTIFICATE"))
    expect(form.get_by_label("Private Key")).to_have_value("")


def test_files_of_every_kind_are_read(form: Page, estate: BrowserServer, tmp_path: Path) -> None:
    application, pair = estate.application("Files"), make_certificate()
    estate.secret_texts.add(pair.private_pem.decode().splitlines()[3])
    estate.emulator.admin.add_certificate(application.object_id, pair.der)
    key = load_pem_private_key(pair.private_pem, None)
    assert isinstance(key, RSAPrivateKey)
    certificate = load_der_x509_certificate(pair.der)
    files = {
        "wide.pem": pair.pem.decode().encode("utf-16"),
        "key.pk8": key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "both.pfx": serialize_key_and_certificates(
            b"x", key, certificate, None, BestAvailableEncryption(b"open sesame")
        ),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    fill(form, name="from-files", method="Certificate", tenant=estate.tenant_id, client=application.app_id)
    form.locator("#upload-certificateBody").set_input_files(tmp_path / "wide.pem")
    form.locator("#upload-privateKey").set_input_files(tmp_path / "key.pk8")
    expect(form.get_by_label("Certificate (PEM format)")).to_have_value(re.compile("BEGIN CERTIFICATE"))
    expect(form.get_by_label("Private Key")).to_have_value(re.compile("^MII"))
    connect(form)
    expect(form.get_by_role("status")).to_contain_text("from-files is now available for use")

    form.go_back()
    fill(form, name="from-pfx", method="Certificate", tenant=estate.tenant_id, client=application.app_id)
    form.locator("#upload-certificateBody").set_input_files(tmp_path / "both.pfx")
    connect(form)
    assert "protected by a passphrase" in refusal(form)
    form.get_by_label(re.compile("^Passphrase")).fill("open sesame")
    expect(form.get_by_label("Certificate (PEM format)")).to_have_value("")
    form.locator("#upload-certificateBody").set_input_files(tmp_path / "both.pfx")
    connect(form)
    expect(form.get_by_role("status")).to_contain_text("from-pfx is now available for use")


def test_nothing_that_is_pasted_is_cut_off(form: Page, estate: BrowserServer) -> None:
    application = estate.application("Blanks around")
    blank = " " * 40
    fields = client_secret(estate, application, "blanks-around")
    for name in ("tenant", "client", "secret"):
        fields[name] = f"{blank}{fields[name]}\t"
    fill(form, **fields)
    form.get_by_role("switch", name="Automatic Credential Rotation").check()
    fill(form, key_id=f"{blank}{application.secrets[0].key_id}")
    connect(form)
    form.wait_for_url("**/app-connections/*")
    expect(form.locator("#live")).to_contain_text("Succeeded")


# --- nothing that was typed is lost -----------------------------------------------------------------------------------


def test_back_and_a_session_that_ended_lose_nothing_but_secrets(
    form: Page, estate: BrowserServer, project: Project
) -> None:
    application = estate.application("Not lost")
    fill(form, **client_secret(estate, application, "not-lost"))
    form.get_by_role("link", name="Cancel").click()
    form.wait_for_url(estate.list_path(project))
    form.go_back()
    expect(form.get_by_label("Client ID", exact=True)).to_have_value(application.app_id)
    expect(form.get_by_label("Method")).to_have_value("client-secret")
    expect(form.get_by_label("Client Secret", exact=True)).to_have_value("")

    fill(form, secret=application.secrets[0].value)
    session = next(cookie for cookie in form.context.cookies() if cookie["name"] == "keyturn_session")
    form.context.add_cookies([{"name": session["name"], "value": "of-yesterday", "url": estate.url}])
    connect(form)
    expect(form.get_by_text("Your session has ended.")).to_be_visible()
    form.context.add_cookies([{"name": session["name"], "value": session["value"], "url": estate.url}])
    form.reload()
    expect(form.get_by_label("Client ID", exact=True)).to_have_value(application.app_id)
    expect(form.get_by_text("Paste it again")).to_be_visible()
    assert "nothing was done" in refusal(form)
    fill(form, secret=application.secrets[0].value)
    connect(form)
    expect(form.get_by_role("status")).to_contain_text("not-lost is now available for use")


def test_long_names_and_descriptions_do_not_widen_a_page(page: Page, estate: BrowserServer, project: Project) -> None:
    application = estate.application("Long")
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(estate.new_path(project))
    fill(page, **client_secret(estate, application, "n" * 64))
    page.get_by_label(re.compile("^Description")).fill("https://wiki.example/" + "d" * 235)
    page.get_by_role("switch", name="Automatic Credential Rotation").check()
    connect(page)
    page.wait_for_url("**/app-connections/*")
    for address in (
        page.url,
        f"{page.url}/schedule",
        f"{page.url}/credentials",
        estate.list_path(project),
    ):
        for width in (320, 1024):
            page.set_viewport_size({"width": width, "height": 640})
            page.goto(address)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{address} is {wide} wide at {width}: {page.evaluate(WIDEST)}"


def test_a_secret_pasted_into_a_wrong_field_is_not_shown_again(form: Page, estate: BrowserServer) -> None:
    application = estate.application("Wrong field")
    fill(form, **(client_secret(estate, application, "wrong-field") | {"client": application.secrets[0].value}))
    connect(form)
    assert error_at(form, "Client ID")
    expect(form.get_by_label("Client ID", exact=True)).to_have_value("")
