"""Which of the application's certificates was given: the one with its thumbprint, if it has not expired there."""

from datetime import UTC, datetime, timedelta

import pytest

from keyturn.errors import Refused
from keyturn.ports.provider import RemoteCredential
from keyturn.providers.azure.key_pairs import new_key, new_pair, thumbprints
from keyturn.providers.azure.methods.certificate_match import match_certificate

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PAIR = new_pair(new_key(), "given", NOW, NOW + timedelta(days=90))


def listed(key_id: str, thumbprint: str | None, days: float = 30) -> RemoteCredential:
    return RemoteCredential(key_id, f"name of {key_id}", thumbprint, NOW, NOW + timedelta(days=days))


def refusal(*credentials: RemoteCredential) -> Refused:
    with pytest.raises(Refused) as caught:
        match_certificate(credentials, PAIR, NOW)
    return caught.value


def test_by_either_thumbprint() -> None:
    for thumbprint in thumbprints(PAIR):
        credential = match_certificate(
            [listed("other", "A" * 40), listed("mine", thumbprint), listed("odd", None)], PAIR, NOW
        )
        assert credential.key_id == "mine"


def test_one_that_is_listed_twice_is_taken_where_it_still_works() -> None:
    sha1 = PAIR.thumbprint
    assert match_certificate([listed("old", sha1, -1), listed("new", sha1)], PAIR, NOW).key_id == "new"


def test_one_that_has_expired_on_the_application_is_refused() -> None:
    error = refusal(
        listed("mine", PAIR.thumbprint, days=0), listed("other", "A" * 40), listed("gone", "B" * 40, days=-1)
    )
    assert error.code == "rotation.certificate_expired"
    assert [detail["keyId"] for detail in error.details] == ["other"]


def test_one_that_is_not_there_is_refused_with_the_candidates() -> None:
    error = refusal(listed("other", "A" * 40))
    assert error.code == "rotation.certificate_not_found"
    assert list(error.details) == [
        {
            "keyId": "other",
            "name": "name of other",
            "thumbprint": "A" * 40,
            "startsAt": "2026-03-02T09:30:00.000Z",
            "endsAt": "2026-04-01T09:30:00.000Z",
        }
    ]
    assert not refusal().details


def test_a_certificate_that_is_listed_without_thumbprint_is_taken_by_its_key_id_once_confirmed() -> None:
    silent = listed("silent", None)
    assert refusal(silent).code == "rotation.certificate_key_id_needed"
    with pytest.raises(Refused) as caught:
        match_certificate([silent], PAIR, NOW, "silent")
    assert caught.value.code == "rotation.key_unconfirmed"
    assert "thumbprint of this certificate" in caught.value.message
    assert match_certificate([silent], PAIR, NOW, "SILENT", confirmed=True) is silent
