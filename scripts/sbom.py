"""Writes requirements/sbom.json: what an installation consists of, as CycloneDX 1.6, made from the locked requirements.

It says the same for the same locks: no moments, no host names. With --check it only compares.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "run.txt"
BILL = ROOT / "requirements" / "sbom.json"
OURS = "keyturn"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)(?: *; *([^\\]+?))? *\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_VIA = re.compile(r"^ +# +(?:via +)?([A-Za-z0-9._-]+)(?: .*)?$")


@dataclass
class Package:
    name: str
    version: str
    marker: str = ""
    hashes: list[str] = field(default_factory=list)
    wanted_by: list[str] = field(default_factory=list)

    @property
    def ref(self) -> str:
        return f"pkg:pypi/{self.name.lower().replace('_', '-')}@{self.version}"


def read_lock(text: str) -> list[Package]:
    """Return the packages of a lock in its order."""
    found: list[Package] = []
    for line in text.splitlines():
        if pinned := _PINNED.match(line):
            found.append(Package(pinned[1], pinned[2], pinned[3] or ""))
        elif found and (digest := _HASH.search(line)):
            found[-1].hashes.append(digest[1])
        elif found and (via := _VIA.match(line)) and via[1] != "via":
            found[-1].wanted_by.append(via[1])
    return found


def bill(packages: list[Package], version: str) -> dict[str, Any]:
    """Return the bill of materials as plain data."""
    ours = f"pkg:pypi/{OURS}@{version}"
    refs = {package.name: package.ref for package in packages} | {OURS: ours}
    wants: dict[str, list[str]] = {ref: [] for ref in refs.values()}
    for package in packages:
        for name in package.wanted_by:
            wants.setdefault(refs.get(name, ours), []).append(package.ref)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": ours, "name": OURS, "version": version}},
        "components": [_component(package) for package in packages],
        "dependencies": [{"ref": ref, "dependsOn": sorted(set(wants[ref]))} for ref in sorted(wants)],
    }


def _component(package: Package) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": package.ref,
        "name": package.name,
        "version": package.version,
        "purl": package.ref,
        "properties": list(_properties(package)),
    }


def _properties(package: Package) -> Iterator[dict[str, str]]:
    """A package has several files, so their digests are no digests of the package."""
    if package.marker:
        yield {"name": "keyturn:only-where", "value": package.marker}
    for digest in package.hashes:
        yield {"name": "keyturn:file-sha256", "value": digest}


def written() -> str:
    """Return the whole file as it should be."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return json.dumps(bill(read_lock(LOCK.read_text(encoding="utf-8")), version), indent=1) + "\n"


if __name__ == "__main__":
    if "--check" not in sys.argv[1:]:
        BILL.write_text(written(), encoding="utf-8")
    elif not BILL.exists() or BILL.read_text(encoding="utf-8") != written():
        sys.exit("requirements/sbom.json is out of date. Run: make sbom")
