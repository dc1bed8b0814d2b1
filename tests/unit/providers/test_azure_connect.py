"""What people paste, and what they are told before anything is sent."""

import pytest

from keyturn.kit.secret import Plaintext
from keyturn.ports.fields import AskedWhere
from keyturn.providers.azure.manifest import MANIFEST
from keyturn.providers.azure.methods.certificate import CertificateMethod
from keyturn.providers.azure.methods.client_secret import ClientSecretMethod
from keyturn.providers.azure.methods.oauth import OAuthMethod
from keyturn.providers.azure.paste_checks import client_id_fault, client_secret_fault, key_id_fault, tenant_fault

UUID = "0b5e8f6a-1c2d-4e3f-8a9b-0c1d2e3f4a5b"


@pytest.mark.parametrize("text", [UUID, UUID.upper(), "contoso.onmicrosoft.com", "login.contoso.co.uk"])
def test_a_tenant_is_its_id_or_a_domain(text: str) -> None:
    assert tenant_fault(text) is None


@pytest.mark.parametrize(
    "text",
    ["", "contoso", "common", "Organizations", "consumers", "a/b.c", "../x.y", "a..b", "-a.b", UUID + "/", "x.y?"],
)
def test_what_is_no_single_tenant_is_refused(text: str) -> None:
    fault = tenant_fault(text)
    assert fault is not None
    assert fault.code == "azure.tenant_malformed"


@pytest.mark.parametrize("text", ["", "my-app", UUID[:-1], UUID.replace("-", ""), UUID + "'"])
def test_a_client_id_is_a_uuid(text: str) -> None:
    fault = client_id_fault(text)
    assert fault is not None
    assert "Application (client) ID" in fault.fix


@pytest.mark.parametrize(
    ("pasted", "code"),
    [
        ("", "azure.secret_empty"),
        ("  \n", "azure.secret_empty"),
        (UUID, "azure.secret_id_pasted"),
        (UUID.upper() + " ", "azure.secret_id_pasted"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "azure.certificate_pasted"),
        ("MIIC" + "A" * 600, "azure.certificate_pasted"),
        ("eyJ" + "a" * 80 + ".eyJ" + "b" * 80 + ".c" * 1, "azure.token_pasted"),
        ("x" * 256, "azure.secret_too_long"),
        ("{" + UUID + "}", "azure.secret_id_pasted"),
        (f"Secret ID: {UUID}", "azure.secret_id_pasted"),
        (f'{{"appId": "{UUID}", "password": "abc8Q~0123456789.abcdefghijklmnopqrstuvwx"}}', "azure.secret_malformed"),
        (f'[{{"clientId": "{UUID}", "clientSecret": "{"x" * 255}"}}]', "azure.secret_malformed"),
        ("abc******************", "azure.secret_malformed"),
        ("abc\ndef", "azure.secret_malformed"),
        ("abc\tdef", "azure.secret_malformed"),
        ("abc\u200bdef", "azure.secret_malformed"),
        ("abc\x07def", "azure.secret_malformed"),
    ],
)
def test_a_wrong_thing_pasted_as_secret_is_recognised_and_never_repeated(pasted: str, code: str) -> None:
    fault = client_secret_fault(Plaintext(pasted))
    assert fault is not None
    assert fault.code == code
    assert not pasted.strip() or pasted.strip() not in f"{fault.message}{fault.fix}"


@pytest.mark.parametrize(
    "text", ["abc8Q~0123456789.abcdefghijklmnopqrstuvwx", "q[@+]:w-=&%~", "eyJ.a.b", "é" * 20, "a b"]
)
def test_a_plausible_secret_passes(text: str) -> None:
    assert client_secret_fault(Plaintext(text)) is None


def test_the_secret_id_may_be_left_empty() -> None:
    assert key_id_fault("") is None
    assert key_id_fault(UUID) is None
    assert key_id_fault("abc") is not None


def test_the_provider_offers_the_methods_of_the_api_and_hides_what_is_secret() -> None:
    methods = (OAuthMethod, ClientSecretMethod, CertificateMethod)
    fields = [field for method in methods for field in method.fields]
    assert (MANIFEST.app, MANIFEST.name) == ("azure-client-secrets", "Azure Client Secrets")
    assert [method.key for method in methods] == ["oauth", "client-secret", "certificate"]
    assert {field.name for field in fields if field.secret} == {
        *("code", "codeVerifier", "nonce"),
        *("clientSecret", "privateKey", "passphrase"),
    }
    asked = [field for field in fields if field.asked is not AskedWhere.SIGN_IN]
    assert all(field.label and field.help for field in asked)
