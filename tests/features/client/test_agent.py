"""``keyturn agent``: files are as the secrets are, programs are told once of each change, and one's trouble is not another's."""

import json
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.client import agent as agent_module
from keyturn.client.agent import Agent, require_known_owners, require_one_writer
from keyturn.client.agent_config import AgentPlan, read_plan
from keyturn.client.agent_state import StateFile
from keyturn.client.agent_status import metric_lines, status_lines
from keyturn.client.keys import cache_key
from keyturn.client.settings import read_settings
from keyturn.client.templates import LARGEST
from keyturn.errors import KeyturnError, Misconfigured
from tests.features.client.conftest import Machine
from tests.features.client.standin import SECRET


@dataclass
class Host:
    """A machine on which an agent runs. ``told`` counts how often the program was told."""

    machine: Machine
    folder: Path
    seconds: float = 0.0
    agents: list[Agent] = field(default_factory=list)

    @property
    def told(self) -> int:
        log = self.folder / "told"
        return len(log.read_text().splitlines()) if log.exists() else 0

    @property
    def directory(self) -> Path:
        return self.folder / "run"

    def plan(self, text: str) -> AgentPlan:
        (self.folder / "agent.toml").write_text(text.replace("DIR", str(self.folder)))
        return read_plan(self.folder / "agent.toml", read_settings(self.machine.environ, {}))

    def agent(self, text: str) -> Agent:
        """Start an agent, or start it anew."""
        plan, client = self.plan(text), self.machine.client()
        require_known_owners(plan)
        require_one_writer(plan)
        started = Agent(
            plan,
            lambda _source: self.machine.reader(instance="host/1"),
            StateFile(self.folder / "state.json"),
            cache_key(client.settings, client.environ, self.machine.told.append) or b"",
            self.machine.told.append,
            environ={**self.machine.environ, "PATH": os.environ["PATH"]},
            monotonic=lambda: self.seconds,
            now=lambda: self.machine.now,
        )
        self.agents.append(started)
        return started

    def pass_seconds(self, agent: Agent, seconds: float) -> None:
        """Let time pass, in which the agent does what becomes due."""
        until = self.seconds + seconds
        while True:
            wait = agent.turn()
            step = min(max(wait, 0.01), until - self.seconds)
            if step <= 0:
                return
            self.seconds += step
            self.machine.pass_time(seconds=step)


@pytest.fixture
def host(machine: Machine, tmp_path: Path) -> Host:
    machine.server.secrets = {"API_KEY": "one", "DB": "it's"}
    return Host(machine, tmp_path)


ONE = """
[[set]]
name = "billing"
directory = "DIR/run"
on_change = "command"
command = ["sh", "-c", "echo x >> DIR/told; test ! -e DIR/broken"]

[[set.file]]
name = "secrets.env"
format = "dotenv"
mode = "0640"
"""
SEVERAL = (
    ONE
    + """
[[set.file]]
name = "config.json"
template = "config.j2"

[[set.file]]
name = "key"
secret = "API_KEY"
mode = "0400"
"""
)


def test_a_file_follows_its_secrets_and_the_program_is_told_once_of_each_change(host: Host) -> None:
    agent = host.agent("settle = 2\n" + ONE)
    host.pass_seconds(agent, 200)
    file = host.directory / "secrets.env"
    assert file.read_text() == 'API_KEY=one\nDB="it\'s"\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert host.told == 0, "that there is a file now is no change"
    written = file.stat().st_mtime_ns, file.stat().st_ino
    host.pass_seconds(agent, 600)
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == written, "equal content is not written again"
    host.machine.server.secrets["API_KEY"] = "two"
    host.pass_seconds(agent, 41)
    host.machine.server.secrets["DB"] = "other"
    host.pass_seconds(agent, 60)
    assert file.read_text() == "API_KEY=two\nDB=other\n"
    assert host.told == 1, "what changed within the settling time is one change"
    for _ in range(2):
        host.pass_seconds(host.agent(ONE), 100)
    assert host.told == 1, "a restart of the agent restarts nobody"
    file.write_text("somebody's")
    host.pass_seconds(agent, 100)
    assert file.read_text() == "API_KEY=two\nDB=other\n"
    assert host.told == 1, "the program knows this content"


def test_several_files_are_exchanged_together(host: Host) -> None:
    (host.folder / "config.j2").write_text('{"db": {{ secrets.DB | json }}, "key": "{{ secrets["API_KEY"] }}"}\n')
    agent = host.agent(SEVERAL)
    host.pass_seconds(agent, 10)
    assert json.loads((host.directory / "config.json").read_text()) == {"db": "it's", "key": "one"}
    assert (host.directory / "key").read_text() == "one"
    opened = (host.directory / "..data").resolve()
    host.machine.server.secrets["API_KEY"] = "two"
    host.pass_seconds(agent, 100)
    assert [(host.directory / name).read_text() for name in ("key", "secrets.env")] == [
        "two",
        'API_KEY=two\nDB="it\'s"\n',
    ]
    assert (opened / "key").read_text() == "one", "who is in the folder before the exchange sees one state"
    host.machine.server.secrets["API_KEY"] = "three"
    host.pass_seconds(agent, 100)
    assert not opened.exists()
    assert len([each for each in host.directory.iterdir() if each.is_dir() and not each.is_symlink()]) == 2
    host.pass_seconds(host.agent(ONE), 100)
    left = [path for path in host.directory.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path.name for path in left] == ["secrets.env"], "no copy of a value stays when the plan changes"


def test_a_command_that_fails_is_run_until_it_works_also_by_the_next_agent(host: Host) -> None:
    agent = host.agent(ONE)
    host.pass_seconds(agent, 10)
    (host.folder / "broken").touch()
    host.machine.server.secrets["API_KEY"] = "two"
    host.pass_seconds(agent, 75)
    tried = host.told
    assert 2 <= tried <= 4, "not at once again, and not every second"
    assert agent.troubles() == ["billing: The command 'sh' failed with status 1."]
    host.pass_seconds(agent, 3000)
    assert host.told <= tried + 11
    assert [each for each in host.machine.told if "failed with status 1" in each][1:] == [], "told once"
    after = host.agent(ONE)
    (host.folder / "broken").unlink()
    host.pass_seconds(after, 10)
    told = host.told
    assert after.troubles() == []
    host.pass_seconds(after, 3000)
    assert host.told == told


def test_the_trouble_of_one_set_is_not_that_of_another(host: Host) -> None:
    (host.folder / "config.j2").write_text("{{ secrets.NONE }}")
    text = ONE + SEVERAL.replace('"billing"', '"config"').replace("DIR/run", "DIR/run2")
    agent = host.agent(text)
    host.pass_seconds(agent, 100)
    assert (host.directory / "secrets.env").exists()
    assert not (host.folder / "run2").exists(), "nothing of a set is written when one of its files cannot be"
    (trouble,) = agent.troubles()
    assert trouble.startswith(
        "config: The file 'config.json' is left as it is: the template asks for what is not there"
    )
    host.machine.server.secrets["NONE"] = "now"
    host.pass_seconds(agent, 100)
    assert (host.folder / "run2" / "config.json").read_text() == "now"
    assert agent.troubles() == []


def test_a_set_is_in_use_once_its_program_was_told(host: Host) -> None:
    server = host.machine.server
    server.knows_waiting, server.headers = True, {"x-keyturn-key-id": "key-1", "x-keyturn-usable-for": "7200"}

    def used() -> str | None:
        server.readers.clear()
        host.pass_seconds(agent, 61)
        return server.readers[-1].get("x-keyturn-in-use")

    agent = host.agent(ONE)
    assert used() == "key-1", "the program starts with the file that is there"
    (host.folder / "broken").touch()
    server.headers["x-keyturn-key-id"] = "key-2"
    server.secrets["API_KEY"] = "two"
    host.pass_seconds(agent, 65)
    assert used() == "key-1", "its command failed, so the program still has the one before"
    (host.folder / "broken").unlink()
    host.pass_seconds(agent, 300)
    assert used() == "key-2"
    agent = host.agent(ONE)
    assert used() == "key-2", "the next agent knows that it was told"
    agent = host.agent(ONE.partition("on_change")[0] + ONE.partition("]\n\n")[2])
    assert used() is None, "when a program takes a file that nobody tells it of, nobody knows"


def test_the_state_says_what_is_where_and_until_when_it_works(host: Host) -> None:
    host.machine.server.headers = {"x-keyturn-key-id": "key-1", "x-keyturn-usable-for": "7200"}
    host.pass_seconds(host.agent(ONE), 10)
    states = StateFile(host.folder / "state.json").all()
    now = host.machine.now
    assert list(status_lines(states, now)) == [
        "billing: as of 10 s ago, changed 10 s ago",
        "  API_KEY version 1",
        "  DB version 2",
        "  key id key-1",
        "  usable until 2026-11-30 05:00 UTC",
    ]
    assert "  NOT USABLE SINCE 2026-11-30 05:00 UTC" in list(status_lines(states, now + timedelta(hours=3)))
    metrics = list(metric_lines(states, now))
    assert 'keyturn_agent_age_seconds{set="billing"} 10' in metrics
    assert 'keyturn_agent_usable_seconds{set="billing"} 7190' in metrics
    assert 'keyturn_agent_trouble{set="billing"} 0' in metrics


@pytest.mark.parametrize("trouble", ["502", "refused"])
def test_files_stay_when_the_server_fails_or_refuses(host: Host, trouble: str) -> None:
    agent = host.agent(ONE)
    host.pass_seconds(agent, 10)
    host.machine.server.trouble = trouble
    host.pass_seconds(agent, 300)
    assert (host.directory / "secrets.env").exists()
    assert len(agent.troubles()) == 1
    host.machine.server.trouble = ""
    host.pass_seconds(agent, 100)
    assert agent.troubles() == []
    assert host.told == 0


def test_a_signal_goes_to_one_program_and_never_to_all(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        ONE.replace('"command"', '"signal"').partition("command = [")[0]
        + 'pid_file = "DIR/pid"\n'
        + ('[[set.file]]\nname = "secrets.env"\nformat = "dotenv"\n')
    )
    signals: list[tuple[int, int]] = []
    monkeypatch.setattr(agent_module.os, "kill", lambda *told: signals.append(told))
    agent = host.agent(text)
    host.pass_seconds(agent, 10)
    for pid in ("-1", "0", "x", ""):
        (host.folder / "pid").write_text(pid)
        host.machine.server.secrets["API_KEY"] = f"for {pid}"
        host.pass_seconds(agent, 100)
        assert signals == []
        assert "was not told: ValueError" in agent.troubles()[0]
    (host.folder / "pid").write_text("4711\n")
    host.pass_seconds(agent, 400)
    assert signals == [(4711, 1)]
    assert agent.troubles() == []


def test_a_file_that_cannot_be_written_leaves_what_was_there(host: Host) -> None:
    agent = host.agent(ONE)
    host.pass_seconds(agent, 10)
    (host.directory / "secrets.env").unlink()
    (host.directory / "secrets.env").mkdir()
    host.machine.server.secrets["API_KEY"] = "two"
    host.pass_seconds(agent, 100)
    assert "cannot be written" in agent.troubles()[0]
    assert not [path for path in host.directory.iterdir() if path.is_file()], "no half of a file either"
    (host.directory / "secrets.env").rmdir()
    victim = host.folder / "victim"
    victim.write_text("precious")
    (host.directory / "secrets.env").symlink_to(victim)
    host.pass_seconds(agent, 100)
    assert victim.read_text() == "precious", "a link is replaced and never followed"
    assert "API_KEY=two" in (host.directory / "secrets.env").read_text()


BOMBS = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "is huge": '{{ "x" * 9000000 }}',
    "takes memory": '{{ "x" * 9000000000 }}',
    "reaches out": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "reads files": "{% include '/etc/passwd' %}",
    "imports": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "is broken": "{{ secrets.",
}


@pytest.mark.parametrize("bomb", list(BOMBS))
def test_a_template_that_does_harm_is_told_and_harms_nobody(
    host: Host, bomb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keyturn.client.templates._SECONDS", 1.0)
    host.machine.server.secrets["API_KEY"] = "kt-value-canary"
    (host.folder / "config.j2").write_text(BOMBS[bomb])
    agent = host.agent(SEVERAL)
    begun = time.monotonic()
    agent.turn()
    assert time.monotonic() - begun < 20
    assert not host.directory.exists()
    (trouble,) = agent.troubles()
    assert trouble.startswith("billing: The file 'config.json' is left as it is")
    assert "canary" not in trouble
    assert LARGEST < 9_000_000


def test_the_state_and_what_is_said_hold_no_value(host: Host) -> None:
    host.machine.server.secrets = {"API_KEY": "kt-value-canary"}
    host.pass_seconds(host.agent(ONE), 100)
    texts: Sequence[str] = [(host.folder / "state.json").read_text(), *host.machine.told]
    assert not [text for text in texts if "canary" in text or SECRET in text]
    assert stat.S_IMODE((host.folder / "state.json").stat().st_mode) == 0o600
    (host.folder / "state.json").write_text("{damaged")
    host.pass_seconds(host.agent(ONE), 10)
    assert host.told == 0


WRONG = [
    ("x = [", "cannot be read"),
    ("", "needs at least one [[set]]"),
    (ONE.replace('name = "billing"', ""), "needs name"),
    (ONE.replace("DIR/run", "run"), "not a whole path"),
    (ONE.replace("DIR/run", "DIR/../run"), "not a whole path"),
    (ONE.replace("secrets.env", "../secrets.env"), "not that of a file in the directory"),
    (ONE.replace("secrets.env", "..data"), "not that of a file in the directory"),
    (ONE.replace('"0640"', '"0646"'), "everybody may write is refused"),
    (ONE.replace('"dotenv"', '"ini"'), "none of dotenv"),
    (ONE.replace('format = "dotenv"', ""), "one of format, template and secret"),
    (ONE.replace('"command"', '"shout"'), "none of command, signal, none"),
    (ONE + 'colour = "red"', "'colour' means nothing there"),
    (ONE + ONE, "a name of its own"),
    (ONE + ONE.replace('"billing"', '"other"'), "both write in"),
    (ONE + 'owner = "nobody-of-this-name"', "not known on this machine"),
    (ONE.replace('"dotenv"', '"dotenv"\ntemplate = "none.j2"'), "cannot be read (FileNotFoundError)"),
    ("interval = 0\n" + ONE, "not a number of seconds"),
]


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_a_plan_that_cannot_work_is_refused_at_the_start(host: Host, text: str, says: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        host.agent(text)
    error: KeyturnError = refused.value
    assert says in error.message, error.message
    assert error.fix
