"""The commands that make an application trust an identity: what a shell hands to ``az``, whatever a token says."""

import json
import subprocess

import pytest

from keyturn.ports.provider import Trust
from keyturn.providers.azure.assertions import Presented, create_command, update_command

APP = "11111111-2222-4333-8444-555555555555"
AUDIENCE = "api://AzureADTokenExchange"
AZ = 'az() { if [ "$4" = list ]; then echo by-hand; printf "%s\\n" "$@" >&2; else printf "%s\\n" "$@"; fi; }\n'


def run(command: str) -> tuple[list[str], list[str]]:
    """Return what the command hands over, and what the one that finds its name does."""
    done = subprocess.run(["bash", "-c", AZ + command], capture_output=True, text=True, check=True)
    return done.stdout.splitlines(), done.stderr.splitlines()


@pytest.mark.parametrize("subject", ["system:serviceaccount:keyturn:server", "o'neil; $(exit 1) `exit 1` \"x"])
def test_a_shell_hands_over_what_the_token_says(subject: str) -> None:
    trust = Trust("https://cluster.example/", subject, AUDIENCE)
    wanted = {"issuer": trust.issuer, "subject": subject, "audiences": [AUDIENCE]}
    made, _ = run(create_command(APP, trust))
    assert made[:6] == ["ad", "app", "federated-credential", "create", "--id", APP]
    assert json.loads(made[-1]) == wanted | {"name": json.loads(made[-1])["name"]}
    changed, _ = run(update_command(APP, "by-hand", trust))
    found, listed = run(Presented(trust.issuer, subject, "api://other", None).change_command(APP, AUDIENCE))
    assert found == changed
    assert (changed[3:8], json.loads(changed[-1])) == (
        ["update", "--id", APP, "--federated-credential-id", "by-hand"],
        wanted,
    )
    query = subject.replace("'", "\\'")
    assert (
        listed[listed.index("--query") + 1] == f"[?issuer=='https://cluster.example/' && subject=='{query}'].name | [0]"
    )


def test_two_identities_have_two_names() -> None:
    trusts = [Trust("https://a.example/", "s", AUDIENCE), Trust("https://b.example/", "s", AUDIENCE)]
    assert len({create_command(APP, trust).split('"name": ')[1].split(",")[0] for trust in trusts}) == len(trusts)
