"""The page of numbers, from the results of the last measurement that was kept."""

import json
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results.json"
_TITLES = {
    "start": "Start and memory",
    "reads": "Reads of secrets",
    "secrets": "Secrets",
    "change": "From the publication of a secret to the first sign-in with it",
    "herd": "Many agents at once",
    "waiters": "Programs that wait for changes",
    "offline": "While the server is down",
    "create": "Setting a rotation up",
    "throughput": "Rotations",
    "finder": "Finding due work",
    "scheduled": "Schedules",
    "pages": "Pages",
    "paint": "Pages in a browser",
    "inventory": "Inventory",
    "machines": "Sign-in of machines",
    "scrapes": "Metrics",
    "tokens": "The local Entra ID",
}


def numbers() -> str:
    """Return the page. Raises OSError or KeyError when the results are not there or have another form."""
    kept = json.loads(RESULTS.read_text())
    how = f"Measured on {kept['measuredOn']} by `make bench`: {kept['machine']}."
    limits = (
        "Most are ratios within one run, so that anyone can repeat them; where a limit is named, a run beyond it fails."
    )
    source = "This page is made from `benchmarks/results.json`; a measurement leaves its own in `build/bench.json`."
    parts = ["# Numbers\n", f"{how} {limits}\n", f"{source}\n"]
    results = kept["results"]
    for name in (*_TITLES, *(name for name in results if name not in _TITLES)):
        if results.get(name):
            parts.append(f"## {_TITLES.get(name, name)}\n")
            parts.append("\n".join(f"- {line}" for line in results[name]) + "\n")
    return "\n".join(parts)
