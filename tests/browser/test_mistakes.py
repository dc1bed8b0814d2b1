"""What goes wrong when people connect: each a sentence at its place, with what to do, and nothing typed twice but secrets."""

import re

import pytest
from playwright.sync_api import Page, expect

from keyturn.projects.domain import Project
from tests.browser.estate import Estate
from tests.browser.steps import client_secret, connect, error_at, fill, refusal
from tests.emulator.certificates import make_certificate

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def form(page: Page, estate: Estate, project: Project) -> Page:
    page.goto(estate.new_path(project))
    return page


# --- client secret ----------------------------------------------------------------------------------------------------


def test_an_empty_form_says_at_each_field_that_it_is_needed(form: Page) -> None:
    fill(form, method="Client Secret")
    connect(form)
    for label in ("Name", "Tenant ID", "Client ID", "Client Secret"):
        assert error_at(form, label) == "This is needed."


def test_what_was_typed_stays_except_the_secret(form: Page, estate: Estate) -> None:
    application = estate.application("Wrong secret")
    typed = client_secret(estate, application, "wrong-secret") | {"secret": "x" * 40}
    fill(form, **typed)
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


def test_a_secret_id_in_place_of_the_secret_is_told_apart(form: Page, estate: Estate) -> None:
    application = estate.application("Pasted id")
    fill(form, **(client_secret(estate, application, "pasted") | {"secret": application.secrets[0].key_id}))
    connect(form)
    assert "This is the Secret ID of a client secret, not its Value." in error_at(form, "Client Secret")


def test_an_unknown_tenant_and_an_unknown_application(form: Page, estate: Estate) -> None:
    application = estate.application("Somewhere")
    fill(form, **(client_secret(estate, application, "somewhere") | {"tenant": NOBODY}))
    connect(form)
    assert error_at(form, "Tenant ID")
    fill(form, tenant=estate.tenant_id, client=NOBODY, secret="x" * 40)
    connect(form)
    assert error_at(form, "Client ID")


def test_a_name_that_is_taken(form: Page, estate: Estate, project: Project) -> None:
    estate.connect("taken", estate.application("First"), project)
    fill(form, **client_secret(estate, estate.application("Second"), "taken"))
    connect(form)
    assert "already exists here" in error_at(form, "Name")


def test_the_right_secret_is_chosen_from_those_that_begin_alike(form: Page, estate: Estate, project: Project) -> None:
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
    form.wait_for_url(estate.list_path(project))


def test_the_key_id_of_another_secret_is_refused(form: Page, estate: Estate) -> None:
    application = estate.application("Mixed up", secrets_count=2)
    fill(form, **client_secret(estate, application, "mixed-up"))
    form.get_by_role("switch", name="Automatic Credential Rotation").check()
    fill(form, key_id=application.secrets[1].key_id)
    connect(form)
    assert "belongs to another secret" in error_at(form, "Client Secret Key ID")
    expect(form.get_by_label("Client Secret Key ID")).to_have_value(application.secrets[1].key_id)


def test_a_schedule_that_makes_no_sense(form: Page, estate: Estate) -> None:
    fill(form, **client_secret(estate, estate.application("Odd"), "odd"))
    form.get_by_role("switch", name="Automatic Credential Rotation").check()
    fill(form, interval="400", at="", zone="Europe/Olso")
    connect(form)
    assert error_at(form, "Rotation Interval") == "365 or less."
    assert "HH:MM" in error_at(form, "Rotate At")
    fill(form, interval="30", at="02:00")
    connect(form)
    assert "Did you mean Europe/Oslo?" in error_at(form, "Time Zone")


def test_a_permission_that_is_missing_is_named(form: Page, estate: Estate) -> None:
    powerless = estate.emulator.admin.create_application(estate.tenant_id, "Powerless")
    estate.typed.add(powerless.secrets[0].value)
    fill(form, **client_secret(estate, powerless, "powerless"))
    form.get_by_role("switch", name="Automatic Credential Rotation").check()
    connect(form)
    assert "Application.ReadWrite.OwnedBy" in refusal(form)


# --- certificate ------------------------------------------------------------------------------------------------------


def test_certificate_and_key_that_do_not_belong_together(form: Page, estate: Estate) -> None:
    application, made, other = estate.application("Mismatch"), make_certificate(), make_certificate()
    estate.typed.add(other.private_pem.decode().splitlines()[3])
    fill(form, name="mismatch", method="Certificate", tenant=estate.tenant_id, client=application.app_id)
    fill(form, certificate=made.pem.decode(), key=other.private_pem.decode())
    connect(form)
    assert refusal(form)
    expect(form.get_by_label("Certificate (PEM format)")).to_have_value(re.compile("BEGIN CERTIFICATE"))
    expect(form.get_by_label("Private Key")).to_have_value("")


def test_certificate_and_key_in_each_others_field(form: Page, estate: Estate) -> None:
    made = make_certificate()
    estate.typed.add(made.private_pem.decode().splitlines()[3])
    fill(form, name="swapped", method="Certificate", tenant=estate.tenant_id, client=NOBODY)
    fill(form, certificate=made.private_pem.decode(), key=made.pem.decode())
    connect(form)
    assert "This is a private key, not the certificate." in error_at(form, "Certificate (PEM format)")
    assert error_at(form, "Private Key")
    # What was pasted into the wrong field is a secret all the same.
    expect(form.get_by_label("Certificate (PEM format)")).to_have_value("")


def test_a_secret_pasted_into_a_wrong_field_is_not_shown_again(form: Page, estate: Estate) -> None:
    application = estate.application("Wrong field")
    fill(form, **(client_secret(estate, application, "wrong-field") | {"client": application.secrets[0].value}))
    connect(form)
    assert error_at(form, "Client ID")
    expect(form.get_by_label("Client ID", exact=True)).to_have_value("")
