"""What a reviewer of security asks of the image, read from the file that it is built by. ``make clients`` builds and runs it."""

import re
import tomllib
from pathlib import Path

from keyturn.cli.ending import WITHIN
from keyturn.settings.table import SETTINGS

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "deploy" / "container"
TOOLS = {"bash", "dash", "busybox", "coreutils", "curl", "wget", "perl-base", "apt", "dpkg", "openssl", "python3-pip"}


def instructions() -> list[tuple[str, str]]:
    """Return what the Containerfile says, each with its rest on one line."""
    text = re.sub(r"^#.*\n", "", (CONTAINER / "Containerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return [(name, re.sub(r"\s+", " ", rest)) for name, rest in lines]


def final_stage() -> dict[str, str]:
    steps = instructions()
    last = max(number for number, (name, _) in enumerate(steps) if name == "FROM")
    return dict(steps[last:])


def names_of(file: str) -> list[str]:
    return [line for line in (CONTAINER / file).read_text().splitlines() if not line.startswith("#")]


def test_the_final_stage_holds_the_assembled_root_alone_and_runs_as_a_number() -> None:
    stage = final_stage()
    assert stage["FROM"] == "scratch"
    assert "RUN" not in stage, "nothing is there that could run"
    assert stage["COPY"] == "--from=build /root-of-image /"
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", stage["USER"])
    assert stage["STOPSIGNAL"] == "SIGTERM"
    assert stage["VOLUME"] == '["/data"]'
    for name in ("ENTRYPOINT", "CMD"):
        assert stage[name].startswith("["), "without a shell"
    assert re.search(r'CMD \["/opt/keyturn/bin/keyturn", "healthcheck"\]$', stage["HEALTHCHECK"])
    assert 'org.opencontainers.image.licenses="Apache-2.0"' in stage["LABEL"]
    assert WITHIN.total_seconds() < 10, "after which engines kill"


def test_no_secret_and_nothing_unlocked_gets_into_a_layer() -> None:
    text = " ".join(rest for _, rest in instructions())
    secret = {setting.name for setting in SETTINGS if setting.secret}
    assert not [name for name in secret if name in text]
    installs = re.findall(r"pip install (.*?)(?:&&|$)", text)
    assert installs
    for options in installs:
        assert "--require-hashes" in options or ("--no-deps" in options and "/wheel/" in options), options
    known = {setting.name for setting in SETTINGS}
    named = set(re.findall(r"\b(HOST|PORT|KEYTURN_\w+)=", final_stage()["ENV"]))
    assert named <= known
    assert not re.search(r"FROM \S+:latest|:latest\b", text)


def test_what_goes_to_the_builder_is_what_the_image_is_made_of() -> None:
    sent = {line[1:] for line in names_of("Containerfile.dockerignore") if line.startswith("!")}
    copied = {
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert sent == copied
    assert all((ROOT / name).exists() for name in sent)
    assert names_of("Containerfile.dockerignore")[0] == "*"


def test_the_packages_of_the_image_are_listed_and_none_is_a_tool() -> None:
    packages = names_of("runtime-packages.txt")
    assert packages == sorted(packages)
    assert not TOOLS & set(packages)
    dropped = names_of("runtime-drop.txt")
    assert dropped == sorted(dropped)
    [python] = [name for name in packages if re.fullmatch(r"python3\.\d+-minimal", name)]
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert wanted == ">=3.11"
    assert int(python.split("-")[0].split(".")[1]) >= 11
