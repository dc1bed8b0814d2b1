"""Numbers of the command line mean the same whether they are taken at a glance or judged by Typer."""

from typing import Annotated

import pytest
import typer

from keyturn.cli.plain_values import take_plain_values

app = typer.Typer(rich_markup_mode=None)


@app.command()
def number(
    whole: Annotated[int, typer.Option(min=1, max=720)] = 5, real: Annotated[float, typer.Option(min=0.5)] = 1.0
) -> None:
    print(repr(whole), repr(real))


def status_of(option: str, value: str, *, plain: bool) -> object:
    command = typer.main.get_command(app)
    if plain:
        take_plain_values(command, typer.Context(command))
    with pytest.raises(SystemExit) as ended:
        command.main([option, value], prog_name="number")
    return ended.value.code


@pytest.mark.parametrize("option", ["--whole", "--real"])
@pytest.mark.parametrize(
    "value",
    [
        "7",
        "007",
        "720",
        "721",
        "0",
        "-3",
        "+7",
        " 7",
        "1_0",
        "٣",
        "7.0",
        "7.5",
        "1e2",
        "nan",
        "inf",
        "",
        "x",
        "9" * 5000,
    ],
)
def test_a_number_is_taken_or_refused_as_typer_does(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at_a_glance = status_of(option, value, plain=True), capsys.readouterr()
    assert at_a_glance == (status_of(option, value, plain=False), capsys.readouterr())
