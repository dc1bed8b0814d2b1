"""Alert rules and the dashboard name only metrics that there are, with labels that they have, and documents that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from keyturn.telemetry.catalogue import CATALOGUE, Kind

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "monitoring" / "keyturn-alerts.yaml"
DASHBOARD = ROOT / "deploy" / "monitoring" / "keyturn-dashboard.json"
REFERENCE = ROOT / "docs" / "reference" / "metrics.md"
SERIES = {name: metric for metric in CATALOGUE for name in metric.series}
OF_PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds"}
OF_SCRAPE = {"job", "instance"}
NAME = re.compile(r"\b(?:keyturn|process)_[a-z_]+\b")
SELECTOR = re.compile(r"\b((?:keyturn|process)_[a-z_]+)\{([^}]*)\}")
GROUPED = re.compile(r"\b(?:by|ignoring|on)\s*\(([^)]*)\)")
COUNTED = re.compile(r"\b(?:rate|increase)\((\w+)")


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(RULES.read_text())
    names = [group["name"] for group in document["groups"]]
    assert len(names) == len(set(names))
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("where", "expression"), [pytest.param(*each, id=each[0]) for each in expressions()])
def test_an_expression_names_series_with_labels_that_exist(where: str, expression: str) -> None:
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing), where
    names = set(NAME.findall(expression))
    assert names, "an expression about nothing"
    assert names <= set(SERIES) | OF_PROCESS, names - set(SERIES)
    labels_of_names = {label for name in names & set(SERIES) for label in SERIES[name].labels} | OF_SCRAPE
    for name, selectors in SELECTOR.findall(expression):
        of_metric = set(SERIES[name].labels) if name in SERIES else set()
        assert {
            part.split("=")[0].strip("!~ ") for part in selectors.split(",") if "=" in part
        } <= of_metric | OF_SCRAPE
    for group in GROUPED.findall(expression):
        assert {label.strip() for label in group.split(",")} <= labels_of_names | {"le"}
    for counted in COUNTED.findall(expression):
        assert counted in OF_PROCESS or SERIES[counted].kind in {Kind.COUNTER, Kind.HISTOGRAM}, counted


def test_each_alert_says_what_it_is_how_bad_and_what_to_do() -> None:
    anchors: dict[str, set[str]] = {}
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        notes = rule["annotations"]
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(notes) == {"summary", "description", "runbook"}
        assert all(notes.values())
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        path, _, anchor = notes["runbook"].partition("#")
        if path not in anchors:
            anchors[path] = {slug(line) for line in (ROOT / path).read_text().splitlines() if line.startswith("#")}
        assert anchor in anchors[path], f"{rule['alert']}: {notes['runbook']} leads nowhere"


def slug(heading: str) -> str:
    """Return the anchor of a heading as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lstrip("#").strip().lower()).replace(" ", "-")


def test_labels_in_the_texts_of_an_alert_are_those_that_its_expression_keeps() -> None:
    for rule in rules():
        used = set(re.findall(r"\$labels\.(\w+)", "".join(rule["annotations"].values())))
        kept = {
            label.strip() for group in re.findall(r"\bby\s*\(([^)]*)\)", rule["expr"]) for label in group.split(",")
        }
        if "by (" not in rule["expr"]:
            kept |= OF_SCRAPE
        assert used <= kept, rule["alert"]


def test_the_dashboard_has_panels_with_ids_of_their_own_that_do_not_lie_on_each_other() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    cells: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not own & cells, panel["title"]
        cells |= own
    variables = {each["name"] for each in json.loads(DASHBOARD.read_text())["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", DASHBOARD.read_text())) <= variables


def test_every_metric_is_named_well_and_documented() -> None:
    text = REFERENCE.read_text()
    for metric in CATALOGUE:
        assert metric.name.startswith("keyturn_")
        assert not metric.name.endswith(("_total", "_info", "_count"))
        assert bool(metric.buckets) is (metric.kind is Kind.HISTOGRAM)
        assert metric.bound
        assert bool(metric.labels) or metric.bound == "one"
        for label in metric.labels:
            assert label in text
        assert f"`{metric.series[0].removesuffix('_bucket')}`" in text
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)
