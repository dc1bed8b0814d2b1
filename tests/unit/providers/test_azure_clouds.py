"""The clouds, and replacing one by a custom address."""

import pytest

from keyturn.errors import Misconfigured
from keyturn.providers.azure.clouds import origin, standard_clouds

HERE = "https://localhost:8443"


@pytest.mark.parametrize(
    ("name", "authority", "scope"),
    [
        ("global", "https://login.microsoftonline.com", "https://graph.microsoft.com/.default"),
        ("usgov-l4", "https://login.microsoftonline.us", "https://graph.microsoft.us/.default"),
        ("usgov-l5", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us/.default"),
        ("china", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn/.default"),
    ],
)
def test_each_cloud_has_its_own_sign_in_service_and_graph(name: str, authority: str, scope: str) -> None:
    cloud = standard_clouds().get(name)
    assert (cloud.authority, cloud.scope) == (authority, scope)
    assert cloud.is_authority(f"{authority}/tenant/oauth2/v2.0/token")
    assert not cloud.is_authority("https://login.example.com/tenant")


def test_an_unknown_cloud_names_those_that_exist() -> None:
    with pytest.raises(Misconfigured, match="mars") as caught:
        standard_clouds().get("mars")
    assert "usgov-l4" in caught.value.diagnostics()


def test_a_known_or_new_name_can_be_given_another_address() -> None:
    clouds = standard_clouds().overridden("global", authority="https://localhost:8443/", graph="https://Graph.Test")
    assert clouds.get("global").authority_of("t") == "https://localhost:8443/t"
    assert clouds.get("global").scope == "https://graph.test/.default"
    assert clouds.get("china").authority == standard_clouds().get("china").authority
    extended = clouds.overridden("bleu", authority="https://login.test", graph="https://graph.test")
    assert extended.get("bleu").title == "bleu"


def test_a_cloud_at_another_address_still_is_that_cloud() -> None:
    clouds = standard_clouds()
    here, usual = clouds.overridden("china", authority=HERE, graph=HERE).get("china"), clouds.get("china")
    assert (here.portal, here.title) == (usual.portal, usual.title)
    assert not here.reports_credentials
    assert not here.is_authority("https://login.chinacloudapi.cn/tenant")


@pytest.mark.parametrize(
    "url", ["http://localhost:8443", "localhost", "https://", "https://h/tenant", "https://u@h", "https://h:x"]
)
def test_a_custom_address_must_be_an_https_origin(url: str) -> None:
    with pytest.raises(Misconfigured):
        standard_clouds().overridden("global", authority=url, graph="https://graph.test")
    with pytest.raises(Misconfigured):
        standard_clouds().overridden("global", authority="https://login.test", graph=url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Graph.Microsoft.com:443/v1.0/x", "https://graph.microsoft.com"),
        ("https://graph.microsoft.com.evil.test/v1.0", "https://graph.microsoft.com.evil.test"),
        ("https://graph.microsoft.com@evil.test/", None),
        ("https://[::1]:8443/x", "https://[::1]:8443"),
        ("http://graph.microsoft.com/", None),
        ("//graph.microsoft.com/", None),
        ("https://[bad", None),
    ],
)
def test_origins_are_compared_whole(url: str, expected: str | None) -> None:
    assert origin(url) == expected
