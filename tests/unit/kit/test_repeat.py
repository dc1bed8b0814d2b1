"""What was refused is shown again only where it cannot be a secret; what is merely misspelt is not lost."""

import pytest

from keyturn.kit.repeat import may_repeat

ID = "0b5e8f6a-1c2d-4e3f-8a9b-0c1d2e3f4a5b"
SECRETS = [
    "abc8Q~0123456789.abcdefghijklmnopqrstuvwx",
    "kD83jfK2Lm9QwErT7yUi3OpA",
    "S3cr3t-in-the-wrong-field!",
    "q[@+]:w-=&%~xPz91",
    "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZg==",
    "P4ssw0rd-P4ssw0rd",
    "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "field", ["name", "clientId", "tenantId", "clientSecretKeyId", "timeZone", "rotateAt", "rotationInterval", "choice"]
)
def test_a_secret_in_a_wrong_field_is_not_repeated(field: str, secret: str) -> None:
    assert not may_repeat(field, secret)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", "Prod-Entra-2026"),
        ("name", "prod_entra"),
        ("name", "My connection 2"),
        ("name", "eu-west-1"),
        ("clientId", ID[:-1]),
        ("clientId", "{" + ID),
        ("clientId", ID.replace("0", "o")),
        ("clientId", f"Client ID: {ID}0"),
        ("clientSecretKeyId", ID.upper() + ID),
        ("tenantId", "contoso"),
        ("tenantId", "Contoso.onmicrosoft.com"),
        ("tenantId", "common"),
        ("timeZone", "Europe/Olso"),
        ("timeZone", "CEST"),
        ("timeZone", "UTC+2"),
        ("timeZone", "EST5EDT"),
        ("timeZone", "W. Europe Standard Time"),
        ("timeZone", "America/Argentina/Buenos_Ares"),
        ("timeZone", "Middle-earth"),
        ("rotateAt", "2:15 pm"),
        ("rotateAt", "25:00"),
        ("rotationInterval", "400"),
        ("rotationInterval", "30 days"),
        ("rotationInterval", "-1"),
        ("description", "What it is for: https://wiki.example/page?id=1"),
        ("certificateBody", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"),
        ("certificateBody", "hello"),
        ("email", "ada@example.com"),
    ],
)
def test_what_is_only_misspelt_is_shown_again(field: str, text: str) -> None:
    assert may_repeat(field, text)


@pytest.mark.parametrize("field", ["clientSecret", "privateKey", "passphrase", "password", "code"])
def test_fields_of_secrets_are_never_repeated(field: str) -> None:
    assert not may_repeat(field, "anything")


@pytest.mark.parametrize("text", ["!" * 500_000, "a:" * 200_000, ". " * 200_000, "-" * 500_000])
@pytest.mark.parametrize("field", ["name", "tenantId", "clientId", "timeZone", "rotateAt"])
def test_what_is_long_is_not_repeated(field: str, text: str) -> None:
    assert not may_repeat(field, text)
