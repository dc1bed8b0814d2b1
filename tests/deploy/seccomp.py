"""The system calls that a unit of systemd forbids, as a profile for a container: systemd itself is not at work everywhere."""

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

_REFUSED = {"action": "SCMP_ACT_ERRNO", "errnoRet": 1}


def profile_of(unit: Path) -> str:
    """Return what ``SystemCallFilter=`` and ``MemoryDenyWriteExecute=`` of the unit come to, as JSON of the OCI."""
    text = unit.read_text(encoding="utf-8")
    allowed = set(group("@default"))
    for line in re.findall(r"^SystemCallFilter=(.*)$", text, re.MULTILINE):
        names = {call for word in line.lstrip("~").split() for call in (group(word) if word[0] == "@" else {word})}
        allowed = allowed - names if line.startswith("~") else allowed | names
    rules: list[dict[str, Any]] = [{"names": sorted(group("@known") - allowed), **_REFUSED}]
    if "MemoryDenyWriteExecute=yes" in text:
        # https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#MemoryDenyWriteExecute=
        rules.append({"names": ["mmap"], **_REFUSED, "args": [_bits(2, 2 | 4)]})
        rules.append({"names": ["mprotect", "pkey_mprotect"], **_REFUSED, "args": [_bits(2, 4)]})
    return json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules})


def _bits(argument: int, bits: int) -> dict[str, Any]:
    return {"index": argument, "value": bits, "valueTwo": bits, "op": "SCMP_CMP_MASKED_EQ"}


@cache
def group(name: str) -> frozenset[str]:
    """Return the system calls of a group, as systemd lists them."""
    command = ["systemd-analyze", "syscall-filter", name]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    words = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    return frozenset(call for word in words for call in (group(word) if word[0] == "@" else {word}))
