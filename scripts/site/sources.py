"""Lays out what the site is made of: the documents at the paths that they have here, and pages that lead to them.

Links stay as they are, since the tree is the same. A link to a file that is no page, e.g. of the source, becomes plain text.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAPERS = ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")
BESIDE = ("src/entra_emulator/README.md", "src/keyturn/providers/azure/README.md", "src/keyturn/web/README.md")
TUTORIALS = ("first-rotation", "second-application")
GUIDES: tuple[tuple[str, Sequence[str]], ...] = (
    (
        "Run it",
        (
            "run-as-a-service", "run-in-a-container", "run-on-kubernetes", "run-with-postgresql", "run-behind-a-proxy",
            "manage-people", "sign-in-through-entra", "provision-with-scim", "upgrade", "monitor-with-prometheus", "ship-logs",
            "backup-and-restore", "prove-what-was-done", "rotate-encryption-keys", "keep-the-root-key-in-key-vault",
            "import-from-infisical", "terraform",
        ),
    ),
    (
        "Connect and rotate",
        (
            "connect-a-real-tenant", "connect-without-a-secret", "rotate-an-application", "sign-in-without-a-secret",
            "see-all-secrets-of-a-tenant", "freeze-changes", "have-changes-approved",
        ),
    ),
    (
        "Deliver secrets",
        (
            "give-secrets-to-a-program", "keep-files-as-the-secrets-are", "sign-in-from-a-web-application", "start-a-container",
            "use-secrets-in-a-github-job", "use-external-secrets", "be-told-of-changes", "test-against-the-emulator",
        ),
    ),
    ("Watch and mend", ("be-warned-in-time", "what-to-do-when")),
)  # fmt: skip
"""The order of the guides; one that is not named here comes at the end, under its own title."""
_KINDS = ("tutorial", "how-to", "reference", "explanation", "adr")
_FENCE = re.compile(r"^(\s*```)mermaid\s*$", re.MULTILINE)
_CODE = re.compile(r"(^\s*```.*?^\s*```)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def lay_out(into: Path) -> list[Path]:
    """Write the sources of the site into an empty folder, and return the paths of its pages. Raises OSError."""
    documents = sorted(path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md"))
    pages = [*documents, *(Path(name) for name in (*PAPERS, *BESIDE))]
    for page in pages:
        target = into / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(prepared((ROOT / page).read_text(), page, frozenset(pages)))
    shutil.copytree(ROOT / "docs" / "images", into / "docs" / "images")
    shutil.copytree(Path(__file__).with_name("static"), into / "_own")
    for name, text in chapters(documents).items():
        (into / name).write_text(text)
    return pages


def prepared(text: str, page: Path, pages: frozenset[Path]) -> str:
    """Return the text of a page for the site: diagrams as text, and only links that lead to a page, a picture or elsewhere."""
    text = _FENCE.sub(r"\1text", text)
    parts = _CODE.split(text)
    return "".join(
        part if number % 2 else _LINK.sub(lambda found: _link(found, page, pages), part)
        for number, part in enumerate(parts)
    )


def _link(found: re.Match[str], page: Path, pages: frozenset[Path]) -> str:
    words, target = found.group(1), found.group(2)
    name, _, _ = target.partition("#")
    if re.match(r"[a-z]+:", target) or not name or name.endswith((".jpg", ".png", ".svg")):
        return found.group(0)
    path = (ROOT / page.parent / name).resolve()
    if not path.exists():
        return found.group(0)  # Sphinx says that it leads nowhere
    relative = path.relative_to(ROOT)
    if relative == Path("docs/adr"):
        return f"[{words}]({'../' * (len(page.parts) - 1)}decisions.md)"
    return found.group(0) if relative in pages else words


def chapters(documents: Sequence[Path]) -> dict[str, str]:
    """Return the pages that lead to others, by file name: one for each kind of document (https://diataxis.fr)."""
    of = {kind: [path.stem for path in documents if path.parts[1] == kind] for kind in _KINDS}
    tutorials = [("", "tutorial", _ordered(TUTORIALS, of["tutorial"]))]
    explanation, reference = [("", "explanation", of["explanation"])], [("", "reference", of["reference"])]
    return {
        "index.md": _index(),
        "tutorials.md": _chapter("Tutorials", "Learn it by doing it, from nothing.", tutorials),
        "guides.md": _chapter("How-to guides", "One task each.", list(_guides(of["how-to"]))),
        "reference.md": _chapter("Reference", "Facts, generated from the source where they can be.", reference, BESIDE),
        "explanation.md": _chapter("Explanation", "How it works, and why so.", explanation, ("SECURITY.md",)),
        "decisions.md": _chapter("Decisions", "What was chosen, and what it costs.", [("", "adr", of["adr"])]),
        "project.md": _chapter(
            "The project", "Changes, and how to contribute.", [], ("CHANGELOG.md", "CONTRIBUTING.md")
        ),
    }


def _guides(names: Sequence[str]) -> Iterator[tuple[str, str, Sequence[str]]]:
    placed = {name for _, group in GUIDES for name in group}
    for title, group in GUIDES:
        yield title, "how-to", [name for name in group if name in names]
    others = [name for name in names if name not in placed]
    if others:
        yield "More", "how-to", others


def _ordered(first: Sequence[str], names: Sequence[str]) -> list[str]:
    return [*(name for name in first if name in names), *(name for name in names if name not in first)]


def _chapter(
    title: str, words: str, groups: Sequence[tuple[str, str, Sequence[str]]], others: Sequence[str] = ()
) -> str:
    parts = [f"# {title}\n\n{words}\n"]
    for caption, folder, names in groups:
        head = f"## {caption}\n\n" if caption else ""
        parts.append(head + _tree([f"docs/{folder}/{name}" for name in names]))
    if others:
        parts.append(_tree([name.removesuffix(".md") for name in others]))
    return "\n".join(parts)


def _tree(names: Sequence[str], *, hidden: bool = False) -> str:
    options = ":hidden:\n" if hidden else ":titlesonly:\n"
    return "```{toctree}\n" + options + "\n" + "\n".join(names) + "\n```\n"


def _index() -> str:
    readme = (ROOT / "README.md").read_text()
    lead = readme.split("\n\n")[1]
    kinds = ("tutorials", "guides", "reference", "explanation", "decisions", "project")
    return (
        f"# Keyturn\n\n{lead}\n\n"
        "- **[Tutorials](tutorials.md)**: your first rotation, in ten minutes, without a tenant\n"
        "- **[How-to guides](guides.md)**: one task each, from PostgreSQL to a leaked secret\n"
        "- **[Reference](reference.md)**: settings, commands, errors, events, permissions, numbers\n"
        "- **[Explanation](explanation.md)**: the rotation protocol, security, sizes, words\n"
        "- **[Decisions](decisions.md)** and **[the project](project.md)**\n\n"
        "![The overview: what needs you, a sentence and a button each](docs/images/overview.jpg)\n\n"
        + _tree(kinds, hidden=True)
    )
