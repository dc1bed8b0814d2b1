"""Certificates and keys in every form that people have them in: taken, or told what they are and what converts them."""

import base64
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import SigningCertificate
from keyturn.providers.azure.reading import read_certificate
from tests.features.methods.certificates import Pair, elliptic, pair, rsa_key
from tests.simulation.seeds import share

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
GOOD, OTHER = pair(), pair(rsa_key(1), name="another")
OPENSSH = PrivateFormat.OpenSSH


def read(certificate: str, key: str, passphrase: str | None = None) -> SigningCertificate:
    return read_certificate(certificate, Plaintext(key), Plaintext(passphrase) if passphrase is not None else None, NOW)


def refusal(certificate: str, key: str, passphrase: str | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        read(certificate, key, passphrase)
    report = f"{caught.value.diagnostics()} {caught.value.details}"
    assert not any(line in report for line in GOOD.key_lines)
    assert "damaged" not in report
    assert "<" not in report
    return caught.value


def is_good(certificate: SigningCertificate) -> bool:
    return (certificate.thumbprint, certificate.private_key) == (GOOD.sha1, Plaintext(GOOD.key_pem))


def bare(pem: str) -> str:
    return "".join(pem.splitlines()[1:-1])


def pfx(pair_of_keys: Pair, passphrase: str | None = None, lock: KeySerializationEncryption | None = None) -> bytes:
    assert isinstance(pair_of_keys.key, rsa.RSAPrivateKey)
    locked = lock or (BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption())
    return serialize_key_and_certificates(b"keyturn", pair_of_keys.key, pair_of_keys.certificate, None, locked)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def wrapped(data: bytes, label: str = "CERTIFICATE") -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(data).decode()}-----END {label}-----\n"


# --- dress ------------------------------------------------------------------------------------------------------------

DRESSES: dict[str, Callable[[str], str]] = {
    "line ends spelt out": lambda pem: pem.replace("\n", "\\n"),
    "Windows line ends spelt out": lambda pem: pem.replace("\n", "\\r\\n"),
    "spelt out twice": lambda pem: pem.replace("\n", "\\\\n"),
    "as a JSON string": lambda pem: '"' + pem.replace("\n", "\\n").replace("/", "\\/") + '",',
    "quoted mail": lambda pem: "\n".join(f"> {line}" for line in pem.splitlines()),
    "quoted twice": lambda pem: "\n".join(f">> > {line}" for line in pem.splitlines()),
    "indented": lambda pem: "\n".join(f"      {line}  " for line in pem.splitlines()),
    "one line": lambda pem: pem.replace("\n", " "),
    "no white space": lambda pem: pem.replace("\n", ""),
    "old Mac line ends": lambda pem: pem.replace("\n", "\r"),
    "line separators": lambda pem: pem.replace("\n", "\u2028"),
    "a blank line each": lambda pem: pem.replace("\n", "\n\n"),
    "zero-width spaces inside": lambda pem: pem.replace("A", "A\u200b", 3),
    "byte order mark": lambda pem: f"\ufeff{pem}",
    "direction marks": lambda pem: f"\u202a{pem}\u202c",
    "no-break spaces at line ends": lambda pem: pem.replace("\n", "\xa0\n"),
    "straight quotes": lambda pem: f"'{pem}'",
    "smart quotes": lambda pem: f"\u201c{pem}\u201d",
    "UTF-16 read as Latin-1": lambda pem: pem.encode("utf-16").decode("latin-1"),
    "UTF-16 read as UTF-8": lambda pem: pem.encode("utf-16-be").decode(),
    "dashes of a word processor": lambda pem: pem.replace("-----", "\u2014\u2014-"),
    "one long dash": lambda pem: pem.replace("-----", "\u2013"),
    "a lost dash": lambda pem: pem.rstrip()[:-1],
    "text around": lambda pem: f"Bag Attributes\n  friendlyName: BEGIN of it\n{pem}\nKind regards",
    "bare base64": bare,
    "bare base64 in lines": lambda pem: "\n".join(pem.splitlines()[1:-1]),
    "bare base64 for URLs, without padding": lambda pem: bare(pem).replace("+", "-").replace("/", "_").rstrip("="),
    "base64 of the file, as pipelines keep it": lambda pem: base64.encodebytes(pem.encode()).decode(),
    "trusted certificate": lambda pem: pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
    "X509 certificate": lambda pem: pem.replace("CERTIFICATE", "X509 CERTIFICATE"),
}


@pytest.mark.parametrize("dress", share(list(DRESSES), 2))
def test_a_certificate_and_a_key_are_taken_in_every_dress(dress: str) -> None:
    put_on = DRESSES[dress]
    assert is_good(read(put_on(GOOD.pem), put_on(GOOD.key_pem)))
    assert is_good(read(put_on(GOOD.pem), GOOD.written(PrivateFormat.TraditionalOpenSSL)))


@pytest.mark.parametrize("dress", share([name for name in DRESSES if "bare" not in name], 3))
def test_a_key_in_the_old_encryption_is_opened_in_every_dress(dress: str) -> None:
    key = GOOD.written(PrivateFormat.TraditionalOpenSSL, "correct horse")
    assert "Proc-Type" in key
    assert is_good(read(GOOD.pem, DRESSES[dress](key), "correct horse"))
    assert refusal(GOOD.pem, DRESSES[dress](key)).code == "azure.passphrase_missing"


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        (GOOD.pem + GOOD.key_pem, ""),
        ("", GOOD.key_pem + GOOD.pem),
        (GOOD.key_pem, GOOD.pem),
        (GOOD.key_pem + GOOD.pem, GOOD.key_pem + GOOD.pem),
        (GOOD.pem, GOOD.pem + GOOD.key_pem),
        (bare(GOOD.key_pem), bare(GOOD.pem)),
    ],
)
def test_certificate_and_key_are_found_in_either_field(certificate: str, key: str) -> None:
    assert is_good(read(certificate, key))


def test_each_of_several_keys_is_tried() -> None:
    assert is_good(read(GOOD.pem, OTHER.key_pem + GOOD.key_pem))
    locked = OTHER.written(passphrase="of the other")
    assert is_good(read(GOOD.pem, locked + GOOD.key_pem))
    assert "None of the 2 private keys" in refusal(GOOD.pem, OTHER.key_pem + pair(rsa_key(3)).key_pem).message
    assert (
        "5 private keys are pasted"
        in refusal(GOOD.pem, "".join(pair(rsa_key(n)).key_pem for n in (1, 3, 4, 5, 6))).message
    )


def test_of_renewed_certificates_with_the_same_key_the_best_is_taken() -> None:
    def lasting(begins: int, ends: int) -> Pair:
        return pair(begins=datetime(begins, 1, 1, tzinfo=UTC), ends=datetime(ends, 1, 1, tzinfo=UTC))

    past, now, longer, future = lasting(2024, 2025), lasting(2026, 2027), lasting(2026, 2028), lasting(2029, 2030)
    for order in ((past, now, longer, future), (future, longer, now, past)):
        certificate = read("".join(each.pem for each in order), GOOD.key_pem)
        assert (certificate.thumbprint, certificate.chain) == (longer.sha1, longer.pem)
    assert "valid only from 2029" in refusal(past.pem + future.pem, GOOD.key_pem).message
    assert "expired on 2025" in refusal(past.pem + OTHER.pem, GOOD.key_pem).message
    # The certificate that signed it stays with it.
    assert read(OTHER.pem + past.pem + now.pem, GOOD.key_pem).chain == now.pem + OTHER.pem


# --- PFX --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [text, wrapped, lambda data: wrapped(data, "PKCS12")])
def test_a_pfx_file_is_read_in_any_form_and_in_either_field(form: Callable[[bytes], str]) -> None:
    data = form(pfx(GOOD, "correct horse"))
    assert is_good(read(data, "", "correct horse"))
    assert is_good(read("", data, "correct horse"))


def test_a_pfx_file_without_passphrase_or_with_an_empty_one_needs_none() -> None:
    assert is_good(read(text(pfx(GOOD)), ""))


def test_a_pfx_file_says_what_is_wrong_with_its_passphrase() -> None:
    data = text(pfx(GOOD, "correct horse"))
    missing, wrong = refusal(data, ""), refusal(data, "", "wrong pony")
    assert (missing.code, wrong.code) == ("azure.passphrase_missing", "azure.passphrase_wrong")
    assert "PFX file is protected by a passphrase" in missing.message
    assert "does not open the PFX file" in wrong.message
    assert [detail["path"] for detail in wrong.details] == [["credentials", "passphrase"]]


def test_a_pfx_file_with_an_ec_key_is_told_so() -> None:
    elliptic_pair = elliptic()
    data = serialize_key_and_certificates(b"x", elliptic_pair.key, elliptic_pair.certificate, None, NoEncryption())  # type: ignore[arg-type]
    assert refusal(text(data), "").code == "azure.key_not_rsa"


def test_a_pfx_file_without_a_key_takes_the_key_beside_it() -> None:
    data = serialize_key_and_certificates(None, None, GOOD.certificate, None, NoEncryption())
    assert is_good(read(text(data), GOOD.key_pem))
    assert "no private key" in refusal(text(data), "").message


@pytest.mark.parametrize("cipher", ["PBE-SHA1-RC2-40", "PBE-SHA1-3DES", "PBE-MD5-DES"])
def test_old_ciphers_of_windows_are_read_or_told_with_the_command(cipher: str, tmp_path: Path) -> None:
    (tmp_path / "both.pem").write_text(GOOD.key_pem + GOOD.pem)
    process = subprocess.run(
        f"openssl pkcs12 -export -legacy -in both.pem -out old.pfx -passout pass:x -keypbe {cipher} -certpbe {cipher}".split(),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    if process.returncode:
        pytest.skip(f"this machine's openssl makes no {cipher}")
    data = text((tmp_path / "old.pfx").read_bytes())
    assert is_good(read(data, "", "x"))
    assert refusal(data, "", "y").code in {"azure.passphrase_wrong", "azure.key_malformed"}


# --- what is something else -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pasted", "says", "command"),
    [
        (wrapped(serialize_certificates([GOOD.certificate], Encoding.DER), "PKCS7"), "PKCS #7", "openssl pkcs7"),
        (wrapped(serialize_certificates([GOOD.certificate], Encoding.DER)), "PKCS #7", "openssl pkcs7"),
        (text(serialize_certificates([GOOD.certificate], Encoding.DER)), "PKCS #7", "openssl pkcs7"),
        (GOOD.written(OPENSSH), "form of OpenSSH", "ssh-keygen -p -N '' -m PKCS8"),
        ("ssh-rsa AAAAB3NzaC1yc2E= me@here", "public key of SSH", ""),
        ("PuTTY-User-Key-File-3: ssh-rsa", "form of PuTTY", "puttygen"),
        (text(b"\xfe\xed\xfe\xed" + bytes(80)), "key store of Java", "keytool -importkeystore"),
        (GOOD.public_pem, "a public key", ""),
        (bare(GOOD.public_pem), "a public key", ""),
        ('{"kty": "RSA"}', "JSON", ""),
        ("eyJhbGciOiJub25lIn0.e30.", "a token", ""),
    ],
)
def test_what_is_another_kind_is_named_with_the_command_that_converts_it(pasted: str, says: str, command: str) -> None:
    for error in (refusal(pasted, GOOD.key_pem), refusal(GOOD.pem, pasted)):
        assert says in error.message
        assert command in (error.fix or "")


@pytest.mark.parametrize("form", ["pem", "bare", "with parameters"])
def test_an_ec_key_is_told_to_be_one(form: str) -> None:
    elliptic_pair = elliptic()
    key = elliptic_pair.written(PrivateFormat.TraditionalOpenSSL)
    if form == "with parameters":
        key = f"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{key}"
    for key_text in (key, elliptic_pair.key_pem) if form != "bare" else (bare(key), bare(elliptic_pair.key_pem)):
        error = refusal(elliptic_pair.pem if form != "bare" else bare(elliptic_pair.pem), key_text)
        assert (error.code, "RSA" in error.message) == ("azure.key_not_rsa", True)


def test_an_encrypted_ec_key_is_told_once_it_is_open() -> None:
    elliptic_pair = elliptic()
    error = refusal(elliptic_pair.pem, elliptic_pair.written(passphrase="correct horse"), "correct horse")
    assert (error.code, "elliptic curve" in error.message) == ("azure.key_not_rsa", True)


def test_what_cannot_be_seen_is_named() -> None:
    assert "U+200B (zero width space)" in refusal("not\u200ba certificate", GOOD.key_pem).message


def test_the_mistakes_of_both_fields_are_told_at_once() -> None:
    error = refusal(GOOD.public_pem, "ssh-rsa AAAA")
    assert [detail["path"] for detail in error.details] == [
        ["credentials", "certificateBody"],
        ["credentials", "privateKey"],
    ]
