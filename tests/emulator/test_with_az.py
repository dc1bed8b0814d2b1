"""azure-cli, unmodified, against the local Entra ID under the names of the real cloud: ``make clients`` installs it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template

import pytest

from entra_emulator import Emulator, SigningKey, SystemClock
from tests.emulator.az.shell import AZ, ROOT, Shell, shell
from tests.emulator.certificates import Certificate

pytestmark = [
    pytest.mark.client,
    pytest.mark.compiled,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not AZ.exists(), reason="azure-cli is not installed in build/clients/az: make clients does it"),
]
COMMANDS = Path(__file__).parent / "az" / "commands.txt"
HOW_TO = ROOT / "docs" / "how-to"
OF_THE_EMULATOR = HOW_TO / "test-against-the-emulator.md"
SERVER = "api() { cat > /dev/null; }; keyturn() { :; }; URL=; ROTATIONS=; ID="
"""What the blocks need beside az: a server, which other tests have."""


@dataclass(frozen=True)
class Office:
    """A shell where an administrator is signed in, and the ids that the commands start from."""

    emulator: Emulator
    shell: Shell
    variables: dict[str, str]


@pytest.fixture
def office(signing_key: SigningKey, certificate: Certificate, tmp_path: Path) -> Iterator[Office]:
    emulator = Emulator(SystemClock(), seed=7, signing_key=signing_key)
    tenant = emulator.admin.create_tenant("Contoso")
    ada = emulator.admin.create_user(tenant, "Ada Admin", roles=("Global Administrator",))
    subscription = emulator.admin.create_subscription(tenant, "Payments", owners=(ada,))
    (tmp_path / "certificate.pem").write_bytes(certificate.pem)
    soon = datetime.fromtimestamp(emulator.clock.now() + 30 * 86400, UTC).date().isoformat()
    variables = {"TENANT": tenant, "ADA": ada, "SUBSCRIPTION": subscription, "SOON": soon}
    with shell(emulator, ada, tmp_path) as made:
        yield Office(emulator, made, variables | {"CERTIFICATE": str(tmp_path / "certificate.pem")})


def complaint(office: Office, line: str) -> str | None:
    """Play a line of the commands; None if az did what the line says."""
    command, operator, wanted = re.fullmatch(r"(.*?)(?: ([>=!]) (.*))?", line).groups()  # type: ignore[union-attr]
    arguments = [Template(word).safe_substitute(office.variables) for word in shlex.split(command)]
    answer = office.shell.run(arguments)
    text = Template(wanted or "").safe_substitute(office.variables).strip('"')
    if operator == "!":
        return None if answer.status and text in answer.err else f"not refused so: {answer}"
    if answer.status:
        return answer.err
    if operator == ">":
        office.variables[wanted] = answer.out
    return f"said {answer.out!r}" if operator == "=" and answer.out != text else None


def test_az_does_what_it_does_at_the_real_cloud(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in COMMANDS.read_text().splitlines() if line and not line.startswith("#")]
    failures = []
    for line in lines:
        reason = complaint(office, line)
        failures += [f"{line}\n    {reason}"] if reason else []
        with capsys.disabled():
            print(f"{'FAILED' if reason else 'worked'}  az {line[:110]}", flush=True)
    with capsys.disabled():
        print(f"az: {len(lines) - len(failures)} of {len(lines)} commands worked")
    assert not failures, "\n".join(failures)


def blocks() -> str:
    """The blocks of the how-to guides that call az at the real cloud: that which makes the application is the first."""
    papers = sorted(HOW_TO.glob("*.md"), key=lambda path: (path.stem != "connect-a-real-tenant", path.stem))
    papers.remove(OF_THE_EMULATOR)
    fenced = [
        block
        for path in papers
        for block in re.findall(r"^ *```sh\n(.*?)^ *```", path.read_text(), re.DOTALL | re.MULTILINE)
    ]
    return "\n".join(block for block in fenced if re.search(r"^ *(?:\w+=\$\()?az ", block, re.MULTILINE))


def test_the_blocks_of_the_how_to_guides_make_an_application_that_can_sign_in(office: Office) -> None:
    said = office.shell.bash(
        f"""{SERVER}
        exec 0< /dev/null
        {blocks()}
        az ad app show --id $APP_ID --query "[length(passwordCredentials), length(keyCredentials)]" -o tsv | xargs
        SECRET=$(az ad app credential reset --id $APP_ID --append --query password -o tsv)
        az login --service-principal -u $APP_ID -p $SECRET --tenant $TENANT_ID --allow-no-subscriptions -o none
        URL="https://graph.microsoft.com/v1.0/applications(appId='$APP_ID')"
        az rest --method post --url "$URL/addPassword" --body '{{"passwordCredential": {{}}}}' --query hint -o tsv
        echo $APP_ID"""
    ).splitlines()
    assert said[-3] == "3 1", said
    assert len(said[-2]) == 3, "it may change its own secrets, as the first guide promises"
    assert office.emulator.ledger.query(operation="addPassword")[-1].caller == said[-1]
