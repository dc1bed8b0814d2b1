"""What the emulator says of Entra's wire names who says so, or is listed in the README as assumed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import entra_emulator
from entra_emulator.graph import errors
from entra_emulator.tokens import sts_codes

SOURCE = Path(entra_emulator.__file__).parent
ASSUMED = (SOURCE / "README.md").read_text(encoding="utf-8").partition("## Assumed")[2].partition("\n## ")[0]


def constants(function: str, argument: int, kind: type) -> Iterator[object]:
    """What is written in this argument of every call of the function, also where it is one of two."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
                written = ast.walk(node.args[argument])
                yield from (
                    each.value for each in written if isinstance(each, ast.Constant) and type(each.value) is kind
                )


def test_every_code_of_the_token_endpoint_has_a_source() -> None:
    assert set(constants("StsError", 0, int)) <= set(sts_codes.CODES)
    for code, row in sts_codes.CODES.items():
        assert row.source.startswith("https://") or (row.source, row.assumed) == (sts_codes.ASSUMED, "all"), code


def test_every_code_of_graph_has_a_source() -> None:
    assert set(constants("GraphError", 1, str)) == set(errors.SOURCES)
    for code, source in errors.SOURCES.items():
        assert source.startswith(("https://", "client: ")) or source == errors.ASSUMED, code


def test_the_readme_lists_the_codes_that_are_assumed() -> None:
    listed = {
        what: {int(code) for code in re.findall(r"\d{5,7}", line)}
        for what, words in (("all", "everything about a code"), ("error", "the `error`"), ("status", "the status"))
        for line in re.findall(rf"^- Token endpoint, {words}.*", ASSUMED, re.MULTILINE)
    }
    for what, codes in listed.items():
        assert codes == {code for code, row in sts_codes.CODES.items() if row.assumed == what}, what
    assert set(listed) == {row.assumed for row in sts_codes.CODES.values()} - {""}
    [line] = re.findall(r"^- Graph, codes: (.*)", ASSUMED, re.MULTILINE)
    of_graph = {code for code, source in errors.SOURCES.items() if source == errors.ASSUMED}
    assert set(re.findall(r"`(\w+)`", line)) == of_graph
