"""Files that people paste as certificate and private key: what works, and what each mistake is told."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from keyturn.errors import Refused
from keyturn.kit.ids import SeededIds
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import SigningCertificate
from keyturn.providers.azure.certificate import PROOF_AUDIENCE, assertion, proof_of_possession
from keyturn.providers.azure.reading import read_certificate
from tests.features.methods.certificates import ENDS, edwards, elliptic, pair, rsa_key

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
GOOD = pair()
OTHER = pair(rsa_key(1), name="another")
PKCS1 = PrivateFormat.TraditionalOpenSSL


def read(certificate: str, key: str, passphrase: str | None = None, now: datetime = NOW) -> SigningCertificate:
    return read_certificate(certificate, Plaintext(key), Plaintext(passphrase) if passphrase else None, now)


def refusal(certificate: str, key: str, passphrase: str | None = None, now: datetime = NOW) -> Refused:
    with pytest.raises(Refused) as caught:
        read(certificate, key, passphrase, now)
    error = caught.value
    report = f"{error.diagnostics()} {error.details}"
    assert error.fix
    assert not any(line in report for line in GOOD.key_lines + OTHER.key_lines)
    assert passphrase is None or passphrase not in report
    return error


# --- what works -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(GOOD.key_pem, id="PKCS#8"),
        pytest.param(GOOD.written(PKCS1), id="PKCS#1"),
        pytest.param(GOOD.bare_key, id="bare base64"),
        pytest.param(
            "\n".join(GOOD.bare_key[i : i + 64] for i in range(0, 2000, 64)).strip(), id="bare base64 in lines"
        ),
        pytest.param(GOOD.key_pem.replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(f"\n\t  {GOOD.key_pem}\n\n  ", id="white space around"),
        pytest.param("\n".join(f"   {line} " for line in GOOD.key_pem.splitlines()), id="indented"),
        pytest.param(
            f"Bag Attributes\n  friendlyName: x\nKey Attributes: <none>\n{GOOD.key_pem}", id="as pkcs12 prints it"
        ),
        pytest.param(f"{GOOD.pem}{GOOD.key_pem}", id="both in one file"),
    ],
)
def test_a_key_in_any_usual_form_is_stored_in_one(key: str) -> None:
    certificate = read(GOOD.pem, key)
    assert certificate.private_key == Plaintext(GOOD.key_pem)
    assert (certificate.expires_at, certificate.thumbprint) == (ENDS, GOOD.sha1)
    assert certificate.chain == GOOD.pem


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PKCS1])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_passphrase_opens_an_encrypted_key_and_is_not_kept(form: PrivateFormat, line_end: str) -> None:
    key = GOOD.written(form, "correct horse").replace("\n", line_end)
    certificate = read(GOOD.pem, key, "correct horse")
    assert certificate.private_key == Plaintext(GOOD.key_pem)


def test_bare_base64_may_be_encrypted_too() -> None:
    key = "".join(GOOD.written(passphrase="correct horse").splitlines()[1:-1])
    assert read(GOOD.pem, key, "correct horse").private_key == Plaintext(GOOD.key_pem)
    assert refusal(GOOD.pem, key).code == "azure.passphrase_missing"


def test_a_passphrase_that_is_not_needed_does_no_harm() -> None:
    assert read(GOOD.pem, GOOD.key_pem, "whatever").private_key == Plaintext(GOOD.key_pem)


@pytest.mark.parametrize("text", [f"{GOOD.pem}{OTHER.pem}", f"{OTHER.pem}\r\n{GOOD.pem}"])
def test_of_a_chain_the_certificate_of_the_key_comes_first(text: str) -> None:
    certificate = read(text, GOOD.key_pem)
    assert certificate.chain == GOOD.pem + OTHER.pem
    assert certificate.thumbprint == GOOD.sha1


# --- what does not ----------------------------------------------------------------------------------------------------

SHORT = pair(rsa_key(2, 1024))
CUT = "\n".join(GOOD.pem.splitlines()[:8] + GOOD.pem.splitlines()[-1:])


def request() -> str:
    assert isinstance(GOOD.key, rsa.RSAPrivateKey)
    csr = x509.CertificateSigningRequestBuilder().subject_name(GOOD.certificate.subject).sign(GOOD.key, hashes.SHA256())
    return csr.public_bytes(Encoding.PEM).decode()


ELEVEN = "".join(pair(name=f"number {number}").pem for number in range(11))


@pytest.mark.parametrize(
    ("certificate", "key", "code", "field", "says"),
    [
        (GOOD.pem, OTHER.key_pem, "key_mismatch", "privateKey", "does not belong to the certificate"),
        (OTHER.pem + pair(rsa_key(3)).pem, GOOD.key_pem, "key_mismatch", "privateKey", "none of the 2 certificates"),
        (GOOD.key_pem, OTHER.key_pem, "key_pasted", "certificateBody", "private key, not the certificate"),
        (GOOD.key_pem, "", "key_pasted", "certificateBody", "private key, not the certificate"),
        (GOOD.pem, "", "key_malformed", "privateKey", "private key is missing"),
        (GOOD.pem, GOOD.pem, "certificate_pasted", "privateKey", "certificate, not its private key"),
        (GOOD.pem, GOOD.public_pem, "key_malformed", "privateKey", "public key"),
        (request(), GOOD.key_pem, "certificate_malformed", "certificateBody", "request for a certificate"),
        ("hello", GOOD.key_pem, "certificate_malformed", "certificateBody", "not a certificate in PEM form"),
        ("", GOOD.key_pem, "certificate_malformed", "certificateBody", "certificate is missing"),
        (CUT, GOOD.key_pem, "certificate_malformed", "certificateBody", "bytes are there, the end is missing"),
        (GOOD.pem.replace("MII", "M!I", 1), GOOD.key_pem, "certificate_malformed", "certificateBody", "character '!'"),
        (
            GOOD.pem[:600],
            GOOD.key_pem,
            "certificate_malformed",
            "certificateBody",
            "-----END CERTIFICATE-----) is missing",
        ),
        (ELEVEN, GOOD.key_pem, "certificate_malformed", "certificateBody", "11 certificates"),
        ("x" * 1_000_000, GOOD.key_pem, "certificate_malformed", "certificateBody", "at most 65536"),
        (GOOD.pem, "hello", "key_malformed", "privateKey", "not a private key"),
        (GOOD.pem, " \n ", "key_malformed", "privateKey", "empty"),
        (GOOD.pem, "MII" + "A" * 1_000_000, "key_malformed", "privateKey", "at most 65536"),
        (GOOD.pem, "MII" + "A" * 1000, "key_malformed", "privateKey", "no form that is known"),
        (GOOD.pem, GOOD.key_pem.replace("MII", "MIJ", 1), "key_malformed", "privateKey", "the end is missing"),
        (GOOD.pem, GOOD.key_pem[:800], "key_malformed", "privateKey", "is missing"),
        (elliptic().pem, elliptic().key_pem, "key_not_rsa", "privateKey", "elliptic curve"),
        (edwards().pem, edwards().key_pem, "key_not_rsa", "privateKey", "Ed25519"),
        (SHORT.pem, SHORT.key_pem, "key_too_short", "privateKey", "1024 bits"),
    ],
)
def test_each_mistake_names_its_field_and_the_way_out(
    certificate: str, key: str, code: str, field: str, says: str
) -> None:
    error = refusal(certificate, key)
    assert error.code == f"azure.{code}"
    assert says in error.message
    assert [detail["path"] for detail in error.details] == [["credentials", field]]


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PKCS1])
def test_an_encrypted_key_needs_its_passphrase(form: PrivateFormat) -> None:
    key = GOOD.written(form, "correct horse")
    for passphrase, code in ((None, "azure.passphrase_missing"), ("wrong pony", "azure.passphrase_wrong")):
        error = refusal(GOOD.pem, key, passphrase)
        assert error.code == code
        assert [detail["path"] for detail in error.details] == [["credentials", "passphrase"]]


def test_dates_are_told() -> None:
    early = refusal(GOOD.pem, GOOD.key_pem, now=datetime(2025, 12, 31, 23, 59, tzinfo=UTC))
    assert early.code == "azure.certificate_not_yet_valid"
    assert "2026-01-01 00:00" in early.message
    assert "2025-12-31 23:59" in early.message
    late = refusal(GOOD.pem, GOOD.key_pem, now=ENDS)
    assert late.code == "azure.certificate_expired"
    assert "2026-12-31 12:00" in late.message
    assert read(GOOD.pem, GOOD.key_pem, now=ENDS - timedelta(seconds=1))


# --- assertions -------------------------------------------------------------------------------------------------------


def parts(text: str) -> tuple[dict[str, object], dict[str, object], bytes, bytes]:
    head, body, signature = text.split(".")
    pad = lambda piece: base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4))  # noqa: E731
    return json.loads(pad(head)), json.loads(pad(body)), pad(signature), f"{head}.{body}".encode()


def thumbprint(certificate: x509.Certificate, kind: hashes.HashAlgorithm) -> str:
    return base64.urlsafe_b64encode(certificate.fingerprint(kind)).rstrip(b"=").decode()


def verify(signature: bytes, signed: bytes, pad: padding.AsymmetricPadding) -> None:
    public = GOOD.key.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(signature, signed, pad, hashes.SHA256())


@pytest.mark.parametrize("sha1", [False, True])
def test_an_assertion_is_signed_for_ten_minutes_and_names_the_certificate(sha1: bool) -> None:
    chain = read(GOOD.pem + OTHER.pem, GOOD.key_pem)
    header, claims, signature, signed = parts(
        assertion(chain, "the-app", "https://x/token", NOW, SeededIds(1), sha1=sha1)
    )
    kind = hashes.SHA1() if sha1 else hashes.SHA256()
    assert header == {
        "alg": "RS256" if sha1 else "PS256",
        "typ": "JWT",
        "x5t" if sha1 else "x5t#S256": thumbprint(GOOD.certificate, kind),
        "x5c": [base64.b64encode(each.certificate.public_bytes(Encoding.DER)).decode() for each in (GOOD, OTHER)],
    }
    assert claims == {
        "aud": "https://x/token",
        "iss": "the-app",
        "sub": "the-app",
        "jti": SeededIds(1).new(),
        "nbf": int(NOW.timestamp()),
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 600,
    }
    pad = padding.PKCS1v15() if sha1 else padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    verify(signature, signed, pad)


def test_a_proof_of_possession_is_signed_for_ten_minutes_and_names_the_certificate() -> None:
    proof = proof_of_possession(read(GOOD.pem, GOOD.key_pem), "the-object", NOW).reveal()
    header, claims, signature, signed = parts(proof)
    assert header == {"alg": "RS256", "typ": "JWT", "x5t": thumbprint(GOOD.certificate, hashes.SHA1())}
    issued = int(NOW.timestamp())
    assert claims == {"aud": PROOF_AUDIENCE, "iss": "the-object", "nbf": issued, "exp": issued + 600}
    assert "=" not in proof
    verify(signature, signed, padding.PKCS1v15())


def test_a_stored_key_is_not_checked_again_for_each_signature() -> None:
    numbers = GOOD.key.private_numbers()
    numbers = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d, numbers.dmp1, numbers.dmq1, numbers.iqmp + 1, numbers.public_numbers
    )
    wrong = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    pem = wrong.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="private key"):
        load_pem_private_key(pem, None)
    certificate = read(GOOD.pem, GOOD.key_pem)
    assert assertion(replace(certificate, private_key=Plaintext(pem.decode())), "a", "b", NOW, SeededIds(1))


def test_no_two_assertions_are_alike() -> None:
    ids, certificate = SeededIds(1), read(GOOD.pem, GOOD.key_pem)
    assertions = {assertion(certificate, "a", "b", NOW, ids) for _ in range(3)}
    assert len(assertions) == 3


def test_a_certificate_shows_nothing_of_its_key() -> None:
    certificate = read(GOOD.pem, GOOD.key_pem)
    assert not any(line in repr(certificate) for line in GOOD.key_lines)
    assert isinstance(load_pem_private_key(certificate.private_key.reveal().encode(), None), rsa.RSAPrivateKey)
