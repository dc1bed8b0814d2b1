"""Files choose themselves how much work they ask for. None of it is done before it was measured."""

import base64
import random
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure import opening
from keyturn.providers.azure.der import DerKind, TooMuch, Unreadable, kind_of, modulus_bits, work_of
from keyturn.providers.azure.files import pieces
from keyturn.providers.azure.reading import read_certificate
from keyturn.providers.azure.survey import Pasted, survey
from tests.features.methods.certificates import pair, rsa_key

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
GOOD = pair()
PBES2, PBKDF2, SCRYPT = "2a864886f70d01050d", "2a864886f70d01050c", "2b06010401da47040b"
PBE_3DES, RSA, DATA = "2a864886f70d010c0103", "2a864886f70d010101", "2a864886f70d010701"
ENCRYPTED_DATA, SHROUDED, KEY_BAG = "2a864886f70d010706", "2a864886f70d010c0a0102", "2a864886f70d010c0a0101"


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = (len(body).bit_length() + 7) // 8
    length = bytes([len(body)]) if len(body) < 128 else bytes([0x80 | size]) + len(body).to_bytes(size, "big")
    return bytes([tag]) + length + body


def oid(text: str) -> bytes:
    return der(6, bytes.fromhex(text))


def number(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def seq(*parts: bytes) -> bytes:
    return der(0x30, *parts)


def pbkdf2(rounds: int, *more: bytes) -> bytes:
    return seq(oid(PBES2), seq(seq(oid(PBKDF2), seq(der(4, b"saltsalt"), number(rounds), *more)), seq(oid("2a"))))


def scrypt(n: int, r: int, p: int) -> bytes:
    parameters = seq(der(4, b"saltsalt"), number(n), number(r), number(p))
    return seq(oid(PBES2), seq(seq(oid(SCRYPT), parameters), seq(oid("2a"))))


def pbes1(rounds: int) -> bytes:
    return seq(oid(PBE_3DES), seq(der(4, b"saltsalt"), number(rounds)))


def locked(algorithm: bytes, size: int = 1300) -> bytes:
    return seq(algorithm, der(4, b"x" * size))


def data(content: bytes) -> bytes:
    return seq(oid(DATA), der(0xA0, der(4, content)))


def pfx(*safes: bytes, mac: int | None = None) -> bytes:
    parts = [number(3), data(seq(*safes))]
    if mac is not None:
        parts.append(seq(seq(seq(oid("2b0e03021a")), der(4, b"d" * 20)), der(4, b"salt"), number(mac)))
    return seq(*parts)


def encrypted_safe(algorithm: bytes) -> bytes:
    return seq(oid(ENCRYPTED_DATA), der(0xA0, seq(number(0), seq(oid(DATA), algorithm, der(0x80, b"x" * 64)))))


def bag(name: str, value: bytes) -> bytes:
    return seq(oid(name), der(0xA0, value))


def plain_key(bits: int) -> bytes:
    return seq(number(0), number(2**bits - 1), number(65537), *(number(3) for _ in range(6)))


def pkcs8(inner: bytes) -> bytes:
    return seq(number(0), seq(oid(RSA), der(5)), der(4, inner))


def bare(content: bytes) -> str:
    return base64.b64encode(content).decode()


def refusal(key: str, passphrase: str = "correct horse") -> Refused:
    with pytest.raises(Refused) as caught:
        read_certificate(GOOD.pem, Plaintext(key), Plaintext(passphrase), NOW)
    return caught.value


@pytest.fixture
def unopened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail when anything at all is opened."""

    def opened(*_: object) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(opening.opener, "open_file", opened)
    monkeypatch.setattr(opening, "in_process", opened)


TOO_MUCH = [
    pytest.param(locked(pbkdf2(1_000_001)), id="PBKDF2"),
    pytest.param(locked(pbkdf2(2**63)), id="PBKDF2 of a large number"),
    pytest.param(locked(pbkdf2(1, number(2**30))), id="a long derived key"),
    pytest.param(locked(pbes1(1_000_001)), id="PBES1"),
    pytest.param(locked(scrypt(16384, 8, 400)), id="scrypt p"),
    pytest.param(locked(scrypt(2**20, 8, 1)), id="scrypt N"),
    pytest.param(locked(scrypt(2, 1_000_000, 1)), id="scrypt r"),
    pytest.param(locked(scrypt(2**17, 8, 1)), id="scrypt of 128 MiB"),
    pytest.param(pfx(mac=1_000_001), id="PFX seal"),
    pytest.param(pfx(encrypted_safe(pbes1(600_000)), mac=600_000), id="PFX, together"),
    pytest.param(pfx(data(seq(bag(SHROUDED, locked(pbkdf2(1_000_001)))))), id="PFX key"),
    pytest.param(pfx(data(seq(bag(KEY_BAG, pkcs8(plain_key(8200)))))), id="PFX with a large key"),
    pytest.param(plain_key(8200), id="PKCS#1 of 8200 bits"),
    pytest.param(pkcs8(plain_key(19630)), id="PKCS#8 of 19630 bits"),
]
UNTOLD = [
    pytest.param(locked(seq(oid("2a864886f70d01050f"), seq(number(1)))), id="unknown encryption"),
    pytest.param(locked(seq(oid(PBES2), seq(seq(oid("2a03"), seq(number(1))), seq(oid("2a"))))), id="unknown hashing"),
    pytest.param(locked(seq(oid(PBES2))), id="without parameters"),
    pytest.param(
        locked(seq(oid(PBES2), seq(seq(oid(PBKDF2), seq(seq(oid("2a")), number(1)))))), id="salt from elsewhere"
    ),
    pytest.param(b"\x30\x80\x02\x01\x03\x30\x80" + bytes(200), id="PFX without lengths"),
    pytest.param(pfx(data(seq(bag("2a864886f70d010c0a0106", seq())))), id="PFX in a PFX"),
    pytest.param(pfx(seq(oid("2a864886f70d010703"), der(0xA0, seq()))), id="PFX for a person"),
    pytest.param(pkcs8(b"\x30\x03\x02\x01\x00"), id="key without modulus"),
]


@pytest.mark.usefixtures("unopened")
@pytest.mark.parametrize("content", TOO_MUCH)
def test_what_asks_for_too_much_work_is_refused_unopened(content: bytes) -> None:
    error = refusal(bare(content))
    assert (error.code, "asks for more work" in error.message) == ("azure.key_malformed", True)
    assert error.fix


@pytest.mark.usefixtures("unopened")
@pytest.mark.parametrize("content", UNTOLD)
def test_what_hides_its_work_is_refused_unopened(content: bytes) -> None:
    error = refusal(bare(content))
    assert error.code == "azure.key_malformed"
    assert error.fix


def test_the_limits_themselves_are_allowed() -> None:
    assert work_of(DerKind.ENCRYPTED_KEY, locked(pbkdf2(1_000_000))) == 1_000_000
    assert work_of(DerKind.ENCRYPTED_KEY, locked(scrypt(2**16, 8, 2))) == 2**20
    assert modulus_bits(DerKind.RSA_KEY, plain_key(8192)) == 8192


def test_the_work_of_honest_files_is_known() -> None:
    key = base64.b64decode("".join(GOOD.written(passphrase="correct horse").splitlines()[1:-1]))
    assert kind_of(key) is DerKind.ENCRYPTED_KEY
    assert 1000 < work_of(DerKind.ENCRYPTED_KEY, key) < opening.LIGHT_ROUNDS
    plain = base64.b64decode(GOOD.bare_key)
    assert (kind_of(plain), modulus_bits(DerKind.KEY, plain)) == (DerKind.KEY, 2048)


@pytest.mark.parametrize(
    "content", [b"", b"\x30", b"\x30\x80", b"\x30\x05\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x81" * 9000]
)
def test_what_is_no_der_never_counts_as_no_work(content: bytes) -> None:
    for kind in (DerKind.ENCRYPTED_KEY, DerKind.PFX):
        with pytest.raises(Unreadable):
            work_of(kind, content)


def test_what_is_heavy_is_opened_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    forms: list[str] = []

    def open_apart(form: str, content: bytes, passphrase: bytes | None) -> opening.OpenedKeyFile:
        forms.append(form)
        return opening.opener.open_file(form, content, passphrase)

    monkeypatch.setattr(opening, "_ask_opener", open_apart)
    large = pair(rsa_key(7, 3072))
    read_certificate(GOOD.pem, Plaintext(GOOD.key_pem), None, NOW)
    read_certificate(large.pem, Plaintext(large.key_pem), None, NOW)
    read_certificate(GOOD.pem, Plaintext(GOOD.written(passphrase="x")), Plaintext("x"), NOW)
    assert forms == []
    read_certificate(large.pem, Plaintext(large.written(passphrase="x")), Plaintext("x"), NOW)
    old = large.written(PrivateFormat.TraditionalOpenSSL, "x")
    read_certificate(large.pem, Plaintext(old), Plaintext("x"), NOW)
    packed = serialize_key_and_certificates(None, GOOD.key, GOOD.certificate, None, NoEncryption())  # type: ignore[arg-type]
    read_certificate("", Plaintext(bare(packed)), None, NOW)
    assert forms == ["der", "pem", "pfx"]


def test_the_other_process_opens_ends_and_knows_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "k" * 32)
    large = pair(rsa_key(7, 3072))
    certificate = read_certificate(large.pem, Plaintext(large.written(passphrase="x")), Plaintext("x"), NOW)
    assert certificate.private_key == Plaintext(large.key_pem)
    assert refusal(large.written(passphrase="x"), "y").code == "azure.passphrase_wrong"
    monkeypatch.setattr(opening, "_NEEDED", ())  # nothing of the environment is needed where the package is installed
    assert read_certificate(large.pem, Plaintext(large.written(passphrase="x")), Plaintext("x"), NOW) == certificate


def test_the_other_process_is_ended_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening.opener, "__name__", "http.server")  # reads nothing and never ends
    monkeypatch.setattr(opening, "LONGEST_WAIT", opening.timedelta(milliseconds=300))
    with pytest.raises(TooMuch):
        opening.in_process("der", b"", None)


# --- anything at all --------------------------------------------------------------------------------------------------


def test_many_beginnings_are_looked_at_once() -> None:
    """Counted in pieces, not in seconds: of 60 kB that begin again and again the first forty are looked at."""
    result = pieces("-----BEGIN A-----\n" * 3600)
    assert len(result) == 40
    assert survey(Pasted.of("-----BEGIN CERTIFICATE-----\n" * 2000, Plaintext("\u2014" * 60_000)))


def test_what_breaks_an_assertion_of_the_library_is_refused() -> None:
    """A letter O for a zero in the start value: the library ends with an error that is no Exception."""
    old = GOOD.written(PrivateFormat.TraditionalOpenSSL, "x")
    head, _, start = old.partition("DEK-Info: ")[2].partition("\n")[0].partition(",")
    refused = _refused(GOOD.pem, old.replace(f"{head},{start}", f"{head},{start[:20]}O{start[21:]}"))
    assert refused is not None
    assert refused.code.startswith("azure.")
    assert refused.fix


PIECES = [
    GOOD.pem,
    GOOD.key_pem,
    GOOD.written(passphrase="x"),
    GOOD.written(PrivateFormat.TraditionalOpenSSL, "x"),
    bare(pfx(mac=1)),
]


@given(st.sampled_from(PIECES), st.data())
@settings(max_examples=50, deadline=None)
def test_no_change_to_a_file_makes_anything_but_a_refusal(text: str, data: st.DataObject) -> None:
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    letters = list(text)
    for _ in range(data.draw(st.integers(1, 6))):
        at = rng.randrange(len(letters))
        letters[at : at + rng.choice((0, 1, 1, 40))] = rng.choice(
            (chr(rng.randrange(1, 0x3000)), "", "-----BEGIN X-----", "\\n")
        )
    changed = "".join(letters)
    for certificate, key in ((changed, GOOD.key_pem), (GOOD.pem, changed), (changed, "")):
        refused = _refused(certificate, key)
        assert refused is None or (refused.fix and refused.code.startswith("azure."))


def _refused(certificate: str, key: str) -> Refused | None:
    try:
        read_certificate(certificate, Plaintext(key), Plaintext("x"), NOW)
    except Refused as refused:
        return refused
    return None


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_the_reader_of_der_fail_otherwise(content: bytes) -> None:
    for call in (
        lambda: kind_of(content),
        lambda: work_of(DerKind.PFX, content),
        lambda: modulus_bits(DerKind.KEY, content),
    ):
        try:
            call()
        except ValueError:
            continue


@given(st.text(max_size=300))
@settings(max_examples=60, deadline=None)
def test_no_text_makes_the_survey_fail(text: str) -> None:
    assert survey(Pasted.of(text, Plaintext(text)))
