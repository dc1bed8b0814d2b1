"""The README names real settings, real tests, real routes, and its example runs."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import entra_emulator
from entra_emulator import Emulator, Settings, VirtualClock

README = Path(entra_emulator.__file__).with_name("README.md").read_text(encoding="utf-8")


def test_every_test_that_the_readme_names_exists() -> None:
    here = Path(__file__).parent
    written = "\n".join(path.read_text(encoding="utf-8") for path in here.glob("test_*.py"))
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", README))
    assert len(named) > 40
    assert named <= set(re.findall(r"def (test_[a-z0-9_]+)\(", written))


def test_every_setting_and_admin_method_is_in_the_readme() -> None:
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", README, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert {item.name for item in fields(Settings)} <= named
    admin = Emulator(VirtualClock()).admin
    assert all(f"`{name}`" in README for name in dir(admin) if not name.startswith("_"))


def test_the_example_runs() -> None:
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example
    exec(compile(example.group(1), "README.md", "exec"), {})
