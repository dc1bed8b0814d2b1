"""Build the documents as a site of static files: `python scripts/site build/site`.

Strict: a broken link or anchor, a page that no chapter names, or what would be loaded from elsewhere ends it with status 1.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from finish import faults, finish
from sources import lay_out
from sphinx.cmd.build import build_main


def main(target: Path) -> int:
    """Build into the folder, which is replaced. Return the exit status."""
    with tempfile.TemporaryDirectory(prefix="keyturn-site-") as folder:
        source = Path(folder) / "source"
        source.mkdir()
        pages = lay_out(source)
        made = Path(folder) / "html"
        here = str(Path(__file__).parent)
        options = ["-W", "--keep-going", "-q", "-j", "auto", "-c", here, "-D", f"html_static_path={source / '_own'}"]
        status = build_main(["-b", "html", *options, str(source), str(made)])
        if status:
            return status
        shutil.rmtree(made / ".doctrees", ignore_errors=True)
        finish(made)
        wrong = list(faults(made))
        print("\n".join(wrong), file=sys.stderr)
        if wrong:
            return 1
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target, ignore=shutil.ignore_patterns(".doctrees", ".buildinfo", "objects.inv"))
    print(f"{len(pages)} pages: {target / 'index.html'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
