"""What is written for other programs reads back in them as it was: shells, YAML and JSON parsers."""

import json
import subprocess

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keyturn.client.formats import FORMATS, format_values
from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext

NAMES = st.from_regex(r"\A[A-Z_][A-Z0-9_]{0,8}\Z")
VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t'\"\\$`"), max_size=20)


def in_format(values: dict[str, str], name: str) -> str:
    return format_values({key: Plaintext(value) for key, value in values.items()}, name).reveal()


@settings(max_examples=40)
@given(st.dictionaries(NAMES, VALUES, max_size=2))
@example({"A": "\U00010000 \u2028 \x85 \x7f"})
def test_json_and_yaml_read_back(values: dict[str, str]) -> None:
    assert json.loads(in_format(values, "json")) == values
    assert yaml.safe_load(in_format(values, "yaml")) == values


@settings(max_examples=25)
@given(VALUES)
@example('it\'s $HOME `id` "x" \\ \n end\n')
def test_a_shell_reads_back_what_is_written_for_it(value: str) -> None:
    script = in_format({"NAME": value}, "shell") + 'printf "%s" "$NAME"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode() == value


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("plain-1.2/3", "A=plain-1.2/3"),
        ("a b #c", "A='a b #c'"),
        ("$x", "A='$x'"),
        ("it's $x", 'A="it\'s \\$x"'),
        ("two\nlines\\", 'A="two\\nlines\\\\"'),
        ("", "A=''"),
    ],
)
def test_dotenv_quotes_what_its_readers_would_change(value: str, line: str) -> None:
    assert in_format({"A": value}, "dotenv") == f"{line}\n"


@pytest.mark.parametrize("name", ["dotenv", "shell", "docker"])
def test_a_name_that_is_none_for_a_variable_is_refused(name: str) -> None:
    for bad in ("a b", "x;rm", "1A", "é"):
        with pytest.raises(Refused, match="no name of a variable") as refused:
            in_format({bad: "kt-value-canary"}, name)
        assert "canary" not in refused.value.diagnostics()


def test_an_env_file_of_docker_holds_no_lines_and_says_so() -> None:
    with pytest.raises(Refused, match="several lines"):
        in_format({"A": "x\nB=y"}, "docker")
    assert set(FORMATS) == {"dotenv", "shell", "docker", "json", "yaml"}
