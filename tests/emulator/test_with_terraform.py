"""Terraform or OpenTofu with the provider azuread, unmodified, as the guide says: the binary is one that a variable names."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from entra_emulator.pytest_plugin import Entra, entra, entra_signing_key
from tests.emulator.given_programs import Observer, given_folder, given_program
from tests.emulator.test_how_to import example

__all__ = ["entra", "entra_signing_key"]

pytestmark = [pytest.mark.client, pytest.mark.compiled, pytest.mark.timeout(1500)]

BINARY, PROVIDERS = "ENTRA_TEST_TERRAFORM", "ENTRA_TEST_TERRAFORM_PROVIDERS"
PLAYED = f"the resources of the guide with the provider azuread (from the folder {PROVIDERS}, else from its registry)"
NOBODY, REMOVED = "AADSTS700016", "AADSTS7000215"


@dataclass(frozen=True)
class Workspace:
    """A folder with a configuration, and a shell in which `terraform` is the binary that was given, and never asks.

    `exports` is what each command begins with.
    """

    folder: Path
    environment: dict[str, str]
    exports: str = ""

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euc", f"{self.exports}\n{command}"],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip

    def succeed(self, command: str) -> str:
        """Run a command that must end well; gives what it wrote."""
        done = self.run(command)
        assert not done.returncode, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def fetch_providers(self, command: str) -> None:
        done = self.run(command)
        if done.returncode:
            place = os.environ.get(PROVIDERS) or f"the registry of the binary ({PROVIDERS} may name a folder instead)"
            said = f"{done.stdout}{done.stderr}"
            pytest.fail(f"{BINARY} found no provider azuread in {place}. {command!r} said:\n{said}", pytrace=False)

    def assert_no_change(self, options: str = "") -> None:
        done = self.run(f"terraform plan -detailed-exitcode {options}")
        assert done.returncode == 0, done.stdout + done.stderr  # 2 where something would be changed

    def outputs(self) -> dict[str, Any]:
        return {name: item["value"] for name, item in json.loads(self.succeed("terraform output -json")).items()}


def workspace(folder: Path, configuration: str, exports: str = "") -> Workspace:
    """Make a folder with this configuration for the binary that was given."""
    binary, providers = given_program(BINARY, PLAYED), given_folder(PROVIDERS)
    (folder / "bin").mkdir()
    (folder / "bin" / "terraform").symlink_to(binary)
    (folder / "main.tf").write_text(configuration, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ARM_", "TF_VAR_"))} | {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CHECKPOINT_DISABLE": "1",
        "TF_INPUT": "0",
        "TF_CLI_ARGS": "-no-color",
        "TF_CLI_ARGS_apply": "-auto-approve",
        "TF_CLI_ARGS_destroy": "-auto-approve",
    }
    if providers:
        (folder / "terraform.rc").write_text(
            f"provider_installation {{\n  filesystem_mirror {{\n    path = {json.dumps(str(providers))}\n  }}\n}}\n"
        )
        environment["TF_CLI_CONFIG_FILE"] = str(folder / "terraform.rc")
    return Workspace(folder, environment, exports)


def assert_all_is_there(observer: Observer, made: dict[str, Any]) -> None:
    """The application and its principal have each of what the configuration declares, and both secrets sign in."""
    application = observer.graph(f"applications(appId='{made['client_id']}')")
    principal = observer.graph(f"servicePrincipals(appId='{made['client_id']}')")
    assert len(application["passwordCredentials"]) == len(application["keyCredentials"]) == 1
    assert len(principal["passwordCredentials"]) == 1
    assert [role["value"] for role in application["appRoles"]] == ["Payments.Read"]
    federated = observer.graph(f"applications/{application['id']}/federatedIdentityCredentials")["value"]
    assert [item["subject"] for item in federated] == ["repo:contoso/payments:ref:refs/heads/main"]
    for holder in (f"applications/{application['id']}", f"servicePrincipals/{principal['id']}"):
        owners = [owner["id"] for owner in observer.graph(f"{holder}/owners")["value"]]
        assert owners == [observer.entra.application.principal_id]
    for secret in (made["client_secret"], made["principal_secret"]):
        assert not observer.refusal(made["client_id"], secret)


def test_terraform_makes_rotates_and_removes_what_the_guide_declares(entra: Entra, tmp_path: Path) -> None:
    lines = example("Terraform", "sh").splitlines()
    exports = [line for line in lines if line.startswith("export ")]
    make_certificate, init, apply, rotate, destroy = (line for line in lines if line not in exports)
    terraform = workspace(tmp_path, example("Terraform", "hcl"), "\n".join(exports))
    entra.admin.grant(entra.application.principal_id, "Application.ReadWrite.All")
    observer = Observer(entra)

    terraform.succeed(make_certificate)
    terraform.fetch_providers(init)
    terraform.succeed(apply)
    first = terraform.outputs()
    assert_all_is_there(observer, first)
    terraform.assert_no_change()

    terraform.succeed(rotate)
    second = terraform.outputs()
    assert_all_is_there(observer, second)
    for name in ("client_secret", "principal_secret"):
        assert second[name] != first[name]
        assert observer.refusal(first["client_id"], first[name]) == REMOVED
    terraform.assert_no_change("-var rotation=2")

    terraform.succeed(destroy)
    wanted = f"?$filter=appId eq '{first['client_id']}'"
    assert not observer.graph(f"applications{wanted}")["value"]
    assert not observer.graph(f"servicePrincipals{wanted}")["value"]
    assert observer.refusal(first["client_id"], second["client_secret"]) == NOBODY
    assert_each_secret_was_removed_once(entra)


def assert_each_secret_was_removed_once(entra: Entra) -> None:
    """Two secrets of the application and two of its principal were added, and the same were removed."""
    for holder in ("", "ServicePrincipal"):
        added, removed = (
            [entry.key_id for entry in entra.ledger.query(operation=f"{verb}{holder}Password", committed=True)]
            for verb in ("add", "remove")
        )
        assert sorted(added) == sorted(removed)
        assert len(set(added)) == 2
