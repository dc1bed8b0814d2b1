"""Writes reference pages from the code: ``python -m keyturn.cli.docs settings > docs/reference/settings.md``."""

import sys
from collections.abc import Mapping, Sequence

from keyturn.settings.setting import Setting
from keyturn.settings.table import COMMAND_VARIABLES, IGNORED, SETTINGS

_INTRODUCTION = """# Settings

Keyturn is configured by environment variables. An empty variable counts as not given. Those marked *secret* may instead be
given as `<NAME>_FILE`, the path of a file that holds the value. All faults are reported together at start; `keyturn doctor`
checks more.

| variable | default | meaning |
| --- | --- | --- |
"""


def settings_page() -> str:
    """Return the reference of settings as Markdown."""
    text = _INTRODUCTION + "".join(_row(setting) for setting in SETTINGS)
    text += "\n## Variables of the command line\n\n" + _plain(COMMAND_VARIABLES)
    return text + "\n## Accepted without effect\n\n" + _plain(IGNORED)


def _row(setting: Setting) -> str:
    name = f"`{setting.name}`" + (" (secret)" if setting.secret else "")
    older = f" Older spelling: `{setting.fallback}`." if setting.fallback else ""
    default = setting.default_text()
    default = default if " " in default or not default else f"`{default}`"
    return f"| {name} | {default} | {setting.help}{older} Example: `{setting.example}` |\n"


def _plain(variables: Mapping[str, str]) -> str:
    return "".join(f"- `{name}`: {text}\n" for name, text in variables.items())


_PAGES = {"settings": settings_page}


def main(arguments: Sequence[str]) -> int:
    """Print the page that is named. Return 2 for an unknown name."""
    if len(arguments) != 1 or arguments[0] not in _PAGES:
        print(f"usage: python -m keyturn.cli.docs {{{','.join(_PAGES)}}}", file=sys.stderr)
        return 2
    sys.stdout.write(_PAGES[arguments[0]]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
