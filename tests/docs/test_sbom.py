"""The bill of materials says what the lock says."""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def bill() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / "requirements" / "sbom.json").read_text(encoding="utf-8"))
    return document


def test_it_holds_every_locked_package_with_its_digests() -> None:
    lock = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^ ;\\]+)", lock, re.MULTILINE))
    components = bill()["components"]
    assert {(component["name"], component["version"]) for component in components} == pinned
    digests = [item["value"] for each in components for item in each["properties"] if item["name"].endswith("sha256")]
    assert sorted(digests) == sorted(re.findall(r"sha256:([0-9a-f]{64})", lock))


def test_it_is_cyclonedx_and_says_who_wants_what() -> None:
    document = bill()
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    refs = {component["bom-ref"] for component in document["components"]} | {
        document["metadata"]["component"]["bom-ref"]
    }
    assert {dependency["ref"] for dependency in document["dependencies"]} == refs
    needed = {ref for dependency in document["dependencies"] for ref in dependency["dependsOn"]}
    assert needed <= refs
    assert len(refs - needed) == 1, "everything but the product itself is there for something"


def test_it_names_no_host_and_no_moment() -> None:
    text = (ROOT / "requirements" / "sbom.json").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"\d{4}-\d\d-\d\dT", text)
