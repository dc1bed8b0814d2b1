"""Programs that no package registry serves: a variable names the binary. And what a test sees of what they did."""

from __future__ import annotations

import os
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from entra_emulator.pytest_plugin import Entra


def given_program(variable: str, played: str) -> Path:
    """The binary that this variable names, once it has told its version.

    Skips the test where the variable is not set, and says what would be played; fails it where what is named does not run.
    """
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} is not set: let it name a binary, and this plays {played}")
    path = Path(named).absolute()
    if complaint := _complaint(path):
        pytest.fail(f"{variable} names {named}, {complaint}", pytrace=False)
    return path


def _complaint(program: Path) -> str:
    try:
        done = subprocess.run([program, "version"], capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        return f"which does not run: {error.strerror}"
    except subprocess.TimeoutExpired:
        return "which does not tell its version within a minute"
    return f"which does not tell its version: {done.stderr or done.returncode}" if done.returncode else ""


def given_folder(variable: str) -> Path | None:
    """The folder that this variable names, None where it is not set. Fails the test where there is no such folder."""
    named = os.environ.get(variable)
    if not named:
        return None
    if not Path(named).is_dir():
        pytest.fail(f"{variable} names {named}, which is not a folder", pytrace=False)
    return Path(named).absolute()


@dataclass(frozen=True)
class Observer:
    """Looks at the local Entra ID as another program does."""

    entra: Entra

    def ask(self, method: str, url: str, **options: Any) -> httpx.Response:
        context = ssl.create_default_context(cafile=self.entra.ca_file)
        with httpx.Client(verify=context, trust_env=False) as http:
            return http.request(method, url, **options)

    def sign_in(self, client_id: str, secret: str) -> dict[str, Any]:
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
            "scope": "https://graph.microsoft.com/.default",
        }
        url = f"{self.entra.authority}/{self.entra.tenant_id}/oauth2/v2.0/token"
        answer: dict[str, Any] = self.ask("POST", url, data=form).json()
        return answer

    def refusal(self, client_id: str, secret: str) -> str:
        """The code that this secret is refused with, empty where it signs in."""
        return str(self.sign_in(client_id, secret).get("error_description", "")).partition(":")[0]

    def graph(self, path: str) -> dict[str, Any]:
        token = self.sign_in(self.entra.client_id, self.entra.client_secret)["access_token"]
        answer = self.ask("GET", f"{self.entra.graph}/{path}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body
