"""What must never be readable of a private key."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.key_pairs import dates_of, new_key
from keyturn_simulation.keys import private_lines, uploaded_pair

BOTH_FORMS = [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL]
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def written(key: rsa.RSAPrivateKey, form: PrivateFormat = PrivateFormat.PKCS8) -> Plaintext:
    return Plaintext(key.private_bytes(Encoding.PEM, form, NoEncryption()).decode())


@pytest.mark.parametrize("form", BOTH_FORMS)
def test_the_certificate_shows_none_of_them(form: PrivateFormat) -> None:
    key = new_key()
    public = dates_of(uploaded_pair(key, NOW, NOW + timedelta(days=9)))[2]
    lines = private_lines(written(key, form))
    assert len(lines) > 15
    assert not [line for line in lines if base64.b64decode(line) in public]


@pytest.mark.parametrize("bits", [1024, 3072])
def test_another_size_of_key_is_refused(bits: int) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    with pytest.raises(ValueError, match="2048"):
        private_lines(written(key))
