"""The drawings of the rooms in CONTRIBUTING.md say what the imports are."""

import re
from dataclasses import dataclass
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
DRAWING = re.compile(r"^```rooms src/(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Drawing:
    """The rooms of a package, from top to bottom; those of one line stand beside each other."""

    package: str
    lines: tuple[tuple[str, ...], ...]

    def level(self, room: str) -> int:
        return next(number for number, rooms in enumerate(self.lines) if room in rooms)


def read_drawings(text: str) -> list[Drawing]:
    """Return the drawings; what stands behind two or more blanks explains a line."""
    return [
        Drawing(
            package,
            tuple(tuple(re.split(r"\s{2,}", line)[0].split(" | ")) for line in body.splitlines() if line.strip()),
        )
        for package, body in DRAWING.findall(text)
    ]


def room_of(module: str) -> str:
    return module.split(".")[1]


def imports_between_rooms(package: str) -> dict[tuple[str, str], str]:
    """Return (importing room, imported room) -> an import that is the reason. The way in, ``__main__``, is no room."""
    graph = grimp.build_graph(package, cache_dir=None)
    imports = {}
    for importer in sorted(graph.modules - {package, f"{package}.__main__"}):
        for imported in graph.find_modules_directly_imported_by(importer) - {package}:
            if room_of(importer) != room_of(imported):
                imports[room_of(importer), room_of(imported)] = f"{importer} -> {imported}"
    return imports


DRAWINGS = read_drawings((ROOT / "CONTRIBUTING.md").read_text())


def test_product_and_emulator_are_drawn() -> None:
    assert [drawing.package for drawing in DRAWINGS] == ["keyturn", "entra_emulator"]


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda drawing: drawing.package)
def test_every_room_is_drawn_once(drawing: Drawing) -> None:
    there = {path.stem for path in (ROOT / "src" / drawing.package).iterdir() if path.suffix == ".py" or path.is_dir()}
    drawn = [room for line in drawing.lines for room in line]
    assert sorted(drawn) == sorted(there - {"__init__", "__main__", "__pycache__"})


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda drawing: drawing.package)
def test_imports_go_down_the_drawing(drawing: Drawing) -> None:
    wrong = [
        reason
        for (importer, imported), reason in imports_between_rooms(drawing.package).items()
        if drawing.level(importer) >= drawing.level(imported)
    ]
    assert wrong == []


def test_an_import_that_goes_up_or_sideways_is_found() -> None:
    upside_down = read_drawings("```rooms src/keyturn\nkit   helpers\nports | errors\n```\n")[0]
    assert upside_down == Drawing("keyturn", (("kit",), ("ports", "errors")))
    assert ("ports", "kit") in imports_between_rooms("keyturn")
    assert upside_down.level("ports") > upside_down.level("kit")
