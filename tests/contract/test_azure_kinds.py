"""The kinds of credentials: what a certificate does as a client secret does, and what it does in its own way."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509

from entra_emulator import GATEWAY_TIMEOUT, RESET, Fault
from entra_emulator.admin.admin import ApplicationHandle
from keyturn.errors import NeedsAction, NotYet, Unanswered, Upstream
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import AccessToken, CredentialKind, CredentialRequest, IssuedCredential, SigningCertificate
from keyturn.providers.azure.key_pairs import new_key, new_pair, thumbprint_of
from keyturn_simulation.keys import private_lines
from tests.contract.conftest import ContractFixture
from tests.contract.test_azure_writes import TOKEN_FREE, answering

MARKER = "keyturn r1 g2 abcdefghij"
NOWHERE = "66666666-6666-4666-8666-666666666666"


class Rolling:
    """An application that may only read itself, with one certificate."""

    def __init__(self, scene: ContractFixture) -> None:
        self.scene = scene
        self.app: ApplicationHandle = scene.admin.create_application(
            scene.tenant_id, "Rolling", permissions=("Application.Read.All",)
        )
        self.first = new_pair(new_key(), "first", scene.clock.now(), scene.in_days(30))
        self.first_id = scene.admin.add_certificate(self.app.object_id, self.first.chain.encode())
        self.kind: CredentialKind = scene.provider.kind("certificate")

    def token(self, value: Plaintext | None = None) -> AccessToken:
        return self.kind.sign_in(self.scene.tenant, self.app.app_id, value or self.first.packed())

    def new_value(self, days: float = 63) -> Plaintext:
        certificate = self.kind.make(MARKER, self.scene.clock.now(), self.scene.in_days(days))
        assert certificate is not None
        return certificate.value

    def add(
        self, value: Plaintext | None = None, *, days: float = 63, signer: Plaintext | None = None
    ) -> IssuedCredential:
        order = CredentialRequest(self.app.object_id, MARKER, self.scene.in_days(days), value or self.new_value(days))
        return self.kind.add(self.scene.tenant, self.token(), signer or self.first.packed(), order)

    def remove(self, key_id: str, signer: Plaintext | None = None) -> None:
        proof = signer or self.first.packed()
        self.kind.remove(self.scene.tenant, self.token(proof), proof, self.app.object_id, key_id)

    def names(self) -> dict[str, str | None]:
        keys = self.scene.admin.application(self.app.object_id).keys_held()
        return {key.key_id: key.display_name for key in keys}


@pytest.fixture
def rolling(scene: ContractFixture) -> Rolling:
    return Rolling(scene)


def error_of(call: Callable[[], object]) -> Upstream:
    with pytest.raises(Upstream) as caught:
        call()
    return caught.value


def test_make_add_sign_in_list_remove(rolling: Rolling) -> None:
    value = rolling.new_value()
    issued = rolling.add(value)
    assert rolling.names() == {rolling.first_id: None, issued.key_id: MARKER}
    rolling.token(issued.value)
    listed = rolling.kind.application(
        rolling.scene.tenant, rolling.token(issued.value), object_id=rolling.app.object_id
    )
    assert listed.slots is None
    fitting = [credential for credential in listed.credentials if rolling.kind.matches(credential, value)]
    assert [(credential.key_id, credential.name, credential.hint) for credential in fitting] == [
        (issued.key_id, MARKER, issued.hint)
    ]
    assert (fitting[0].starts_at, fitting[0].ends_at) == (issued.starts_at, issued.ends_at)
    rolling.remove(rolling.first_id, issued.value)
    assert rolling.names() == {issued.key_id: MARKER}


def test_the_certificate_made_is_named_by_the_marker_and_lives_as_long_as_asked(rolling: Rolling) -> None:
    signing = SigningCertificate.unpacked(rolling.new_value())
    leaf = x509.load_pem_x509_certificate(signing.chain.encode())
    assert leaf.subject.rfc4514_string() == f"CN={MARKER}"
    assert leaf.not_valid_after_utc == rolling.scene.in_days(63)
    assert leaf.not_valid_before_utc == rolling.scene.clock.now() - timedelta(minutes=5)
    assert "PRIVATE" not in signing.chain
    assert repr(signing.private_key) == "Plaintext(***)"


def test_a_long_marker_still_makes_a_name(scene: ContractFixture) -> None:
    pair = new_pair(new_key(), "m" * 80, scene.clock.now(), scene.in_days(3))
    assert x509.load_pem_x509_certificate(pair.chain.encode()).subject.rfc4514_string() == f"CN={'m' * 64}"


def test_only_the_public_part_is_sent(rolling: Rolling) -> None:
    certificate = rolling.new_value()
    rolling.add(certificate)
    ledger = rolling.scene.emulator.ledger
    for value in (certificate, rolling.first.packed()):
        lines = private_lines(SigningCertificate.unpacked(value).private_key)
        assert not any(ledger.saw_plaintext(line) for line in lines)


def test_a_lost_answer_of_adding_is_unanswered(rolling: Rolling) -> None:
    rolling.scene.emulator.faults.add(Fault("addKey", (RESET,), when="after", times=1))
    value = rolling.new_value()
    assert type(error_of(lambda: rolling.add(value))) is Unanswered
    assert MARKER in rolling.names().values()
    rolling.scene.emulator.faults.add(Fault("addKey", (GATEWAY_TIMEOUT,), when="before", times=1))
    assert type(error_of(rolling.add)) is Unanswered


def test_a_proof_by_another_key_is_not_yet_accepted(rolling: Rolling) -> None:
    stranger = rolling.new_value()
    error = error_of(lambda: rolling.add(signer=stranger))
    assert (type(error), error.code) == (NotYet, "azure.proof_refused")
    assert len(rolling.names()) == 1


def test_removing_what_graph_does_not_show_is_not_an_error(rolling: Rolling) -> None:
    rolling.remove(NOWHERE)
    assert len(rolling.names()) == 1


def test_a_key_may_remove_itself(rolling: Rolling) -> None:
    rolling.remove(rolling.first_id)
    assert rolling.names() == {}
    error = error_of(rolling.token)
    assert (type(error), error.code) == (NotYet, "azure.certificate_refused")


def test_a_lifetime_policy_is_named(rolling: Rolling) -> None:
    rule = {"restrictionType": "asymmetricKeyLifetime", "maxLifetime": "P30D"}
    rolling.scene.admin.set_policy(rolling.scene.tenant_id, keyCredentials=[rule])
    error = error_of(rolling.add)
    assert (type(error), error.code) == (NeedsAction, "azure.lifetime_policy")
    rolling.add(days=29)


def test_secrets_go_through_the_same_door(scene: ContractFixture) -> None:
    kind = scene.provider.kind("client-secret")
    signer = scene.secret()
    assert kind.make(MARKER, scene.clock.now(), scene.in_days(3)) is None
    token = kind.sign_in(scene.tenant, scene.app.app_id, signer)
    issued = kind.add(scene.tenant, token, signer, CredentialRequest(scene.app.object_id, MARKER, scene.in_days(63)))
    listed = kind.application(scene.tenant, token, object_id=scene.app.object_id).credentials
    assert [credential.key_id for credential in listed if kind.matches(credential, issued.value)] == [issued.key_id]
    kind.remove(scene.tenant, token, signer, scene.app.object_id, issued.key_id)
    assert MARKER not in scene.names()


def test_there_is_no_kind_for_people(scene: ContractFixture) -> None:
    with pytest.raises(KeyError):
        scene.provider.kind("oauth")


def test_an_answer_without_the_collection_is_not_an_empty_list(rolling: Rolling) -> None:
    body = {"id": rolling.app.object_id, "appId": rolling.app.app_id, "passwordCredentials": []}
    provider, _ = answering(rolling.scene, 200, body)
    error = error_of(
        lambda: provider.kind("certificate").application(
            rolling.scene.tenant, TOKEN_FREE, object_id=rolling.app.object_id
        )
    )
    assert error.code == "azure.unreadable_answer"


@pytest.mark.parametrize("size", [20, 32])
def test_a_thumbprint_is_read_however_it_is_written(size: int) -> None:
    digest = bytes(range(200, 200 + size))
    expected = digest.hex().upper()
    assert [thumbprint_of(text) for text in (expected, expected.lower(), base64.b64encode(digest).decode())] == [
        expected
    ] * 3


@pytest.mark.parametrize("text", [None, "", "no thumbprint", "AAAA", 7, json.dumps({}), "é" * 40])
def test_what_is_no_thumbprint_is_none(text: object) -> None:
    assert thumbprint_of(text) is None
