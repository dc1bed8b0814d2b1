"""How secrets are written for programs: dotenv, shell, docker, json, yaml. Pure."""

import json
import re
from collections.abc import Callable, Mapping

from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]+")


def is_variable(name: str) -> bool:
    """Say whether programs can be given an environment variable of this name that shells know, too."""
    return _VARIABLE.fullmatch(name) is not None


def dotenv(values: Mapping[str, str]) -> str:
    """Return lines for python-dotenv, docker compose and the like: in single quotes nothing is replaced.

    A value with a single quote or a line break is put in double quotes, where ``\\``, ``"``, ``$`` and line breaks are escaped.
    """
    return _lines(values, _dotenv_value)


def shell(values: Mapping[str, str]) -> str:
    """Return lines that a POSIX shell can read: ``export NAME='value'``."""
    return _lines(values, lambda value: "'" + value.replace("'", "'\\''") + "'", before="export ")


def docker(values: Mapping[str, str]) -> str:
    """Return a file for ``docker run --env-file``, which knows neither quotes nor line breaks.

    Raises Refused for a value that it cannot hold.
    """
    for name, value in values.items():
        if "\n" in value or "\r" in value:
            raise Refused(
                f"The value of '{name}' has several lines, and an --env-file of docker cannot hold that.",
                code="client.format",
                fix="Use another format, or keep this secret in another folder.",
            )
    return _lines(values, lambda value: value)


def as_json(values: Mapping[str, str]) -> str:
    return json.dumps(values, ensure_ascii=False, indent=2) + "\n"


def as_yaml(values: Mapping[str, str]) -> str:
    """Return a YAML mapping with all in double quotes, escaped as https://yaml.org/spec/1.2.2/#57-escaped-characters says."""
    return "".join(f"{_yaml_text(name)}: {_yaml_text(value)}\n" for name, value in values.items()) or "{}\n"


def _yaml_text(text: str) -> str:
    """Quote a text. JSON's escapes are YAML's, but for letters beyond the first plane, which JSON writes as two."""
    return '"' + "".join(json.dumps(sign)[1:-1] if sign <= "\uffff" else f"\\U{ord(sign):08x}" for sign in text) + '"'


FORMATS: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "dotenv": dotenv,
    "shell": shell,
    "docker": docker,
    "json": as_json,
    "yaml": as_yaml,
}


def format_values(values: Mapping[str, Plaintext], format_name: str) -> Plaintext:
    """Return the text of a format, names in order. Raises Refused for a name or a value that it cannot hold."""
    return Plaintext(FORMATS[format_name]({name: values[name].reveal() for name in sorted(values)}))


def _lines(values: Mapping[str, str], quoted: Callable[[str], str], before: str = "") -> str:
    for name in values:
        if not is_variable(name):
            raise Refused(
                f"'{name}' is no name of a variable, so this format cannot hold it.",
                code="client.format",
                fix="Use json or yaml, or rename the secret: letters, digits and underscores.",
            )
    return "".join(f"{before}{name}={quoted(value)}\n" for name, value in values.items())


def _dotenv_value(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    if not any(sign in value for sign in "'\n\r\\"):
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'
