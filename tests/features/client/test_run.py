"""``keyturn run``: a program has its secrets in the environment, is told when they change, and is never stopped for our sake."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from keyturn.client.child import Child
from keyturn.client.domain import Outage, Refusal
from keyturn.client.run import OnChange, Runner, RunPlan
from keyturn.errors import Misconfigured
from tests.features.client.conftest import Machine
from tests.features.client.standin import SECRET

PROGRAM = r"""
import os, signal, sys, time
log = open(os.environ["LOG"], "a", buffering=1)
def say(*words):
    print(*words, file=log)
def told(number, frame):
    say("told", signal.Signals(number).name)
    if "stubborn" not in sys.argv and number == signal.SIGTERM:
        sys.exit(5)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, told)
if "parent" in sys.argv and os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say("child", os.getpid())
    time.sleep(60)
say("started", os.environ.get("API_KEY"))
while "brief" not in sys.argv and not os.path.exists(os.environ["LOG"] + ".end"):
    time.sleep(0.01)
say("over")
sys.exit(7)
"""


class Program:
    """A program under ``keyturn run``, which runs in the main thread of the test as it does in its process."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.log = folder / "log"
        self.log.touch()
        self.failures: list[Exception] = []

    def run(
        self,
        steps: Callable[[], object],
        *arguments: str,
        interval: float = 0.05,
        instance: str | None = None,
        **plan: object,
    ) -> int:
        """Run the program while another thread does the steps, and return its exit status."""
        command: Sequence[str] = [sys.executable, "-c", PROGRAM, *arguments]
        environ = {**self.machine.environ, "LOG": str(self.log), "PATH": os.environ["PATH"]}
        settled = {"settle": 0.05, "grace": 5.0, "patience": 5.0} | plan
        reader = self.machine.reader(interval=interval, instance=instance)
        runner = Runner(reader, RunPlan(command, **settled), environ, self.machine.told.append)  # type: ignore[arg-type]
        actor = threading.Thread(target=self._act, args=(steps,), daemon=True)
        actor.start()
        try:
            status = runner.run()
        finally:
            actor.join(60)
            for thread in threading.enumerate():
                if thread.name == "secrets":  # it may be reading at this moment, which a process would not wait for
                    thread.join(60)
        assert not self.failures, self.failures
        return status

    def wait_for(self, line: str, times: int = 1) -> None:
        until = time.monotonic() + 60
        while self.lines.count(line) < times:
            assert time.monotonic() < until, f"no '{line}' in {self.lines}, told: {self.machine.told}"
            time.sleep(0.01)

    def wait_told(self, part: str) -> None:
        until = time.monotonic() + 60
        while not [each for each in self.machine.told if part in each]:
            assert time.monotonic() < until, self.machine.told
            time.sleep(0.01)

    def end(self) -> None:
        Path(f"{self.log}.end").touch()

    @property
    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    def _act(self, steps: Callable[[], object]) -> None:
        try:
            steps()
        except Exception as error:  # noqa: BLE001 - told by the main thread
            self.failures.append(error)
        finally:
            self.end()


@pytest.fixture
def program(machine: Machine, tmp_path: Path) -> Iterator[Program]:
    numbers = [number for number in signal.valid_signals() if number not in {signal.SIGKILL, signal.SIGSTOP}]
    before = {number: signal.getsignal(number) for number in numbers}
    yield Program(machine, tmp_path)
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def test_a_changed_secret_starts_the_program_anew_once(program: Program) -> None:
    def steps() -> None:
        program.wait_for("started one")
        program.machine.server.secrets["API_KEY"] = "two"
        program.wait_for("started two")

    assert program.run(steps, "usual") == 7, "the exit status is the program's"
    assert program.lines == ["started one", "told SIGTERM", "started two", "over"]


def test_what_a_program_cannot_notice_does_not_restart_it(program: Program) -> None:
    def steps() -> None:
        program.wait_for("started one")
        for comment in ("new", "newer"):
            read = program.machine.server.reads
            program.machine.server.comment = comment
            while program.machine.server.reads < read + 3:
                time.sleep(0.01)

    assert program.run(steps, settle=0.0) == 7
    assert program.lines == ["started one", "over"]


def test_a_secret_counts_as_in_use_once_the_program_lives_with_it(program: Program) -> None:
    server = program.machine.server
    server.knows_waiting, server.headers = True, {"x-keyturn-key-id": "key-1"}

    def wait_for_use(number: int) -> None:
        until = time.monotonic() + 60
        while len(server.in_use) < number:
            assert time.monotonic() < until
            time.sleep(0.01)

    def steps() -> None:
        program.wait_for("started one")
        wait_for_use(1)
        server.headers = {"x-keyturn-key-id": "key-2"}
        server.secrets["API_KEY"] = "two"
        program.wait_for("started two")
        told = time.monotonic()
        wait_for_use(2)
        assert time.monotonic() - told > 0.15, "a program may end at once with what is new"

    assert program.run(steps, ready=0.3, instance="host/1") == 7
    assert [(each["keyIds"], each["instance"]) for each in server.in_use] == [
        (["key-1"], "host/1"),
        (["key-2"], "host/1"),
    ]


def test_a_program_that_does_not_live_never_counts_as_a_user(program: Program) -> None:
    server = program.machine.server
    server.knows_waiting, server.headers = True, {"x-keyturn-key-id": "key-1"}
    assert program.run(lambda: program.wait_for("over"), "brief", ready=5.0, instance="host/1") == 7
    assert server.in_use == []
    assert not [each for each in server.readers if "x-keyturn-in-use" in each]


def test_a_number_is_never_signalled_after_its_program_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, str]] = []

    def look(pid: int, number: int) -> None:
        told.append((number, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]))

    monkeypatch.setattr("keyturn.client.child.os.killpg", look)
    child = Child(["true"], {"PATH": os.environ["PATH"]})
    assert child.wait(30) == 0
    assert told == [(signal.SIGKILL, "Z")], "what it left behind is ended while the number is still its own"
    child.tell(signal.SIGTERM)
    assert child.stop(1.0) == 0
    assert len(told) == 1


@pytest.mark.parametrize(
    ("on_change", "expected"),
    [(OnChange.SIGNAL, ["started one", "told SIGUSR1", "over"]), (OnChange.NONE, ["started one", "over"])],
)
def test_a_program_may_be_told_instead_or_left_alone(
    program: Program, on_change: OnChange, expected: list[str]
) -> None:
    def steps() -> None:
        program.wait_for("started one")
        program.machine.server.secrets["API_KEY"] = "two"
        program.wait_told("Secrets changed")
        if on_change is OnChange.SIGNAL:
            program.wait_for("told SIGUSR1")

    assert program.run(steps, on_change=on_change, signal=signal.SIGUSR1) == 7
    assert program.lines == expected


@pytest.mark.parametrize("trouble", ["proxy", "refused", "gone"])
def test_neither_an_outage_nor_a_refusal_stops_a_running_program(program: Program, trouble: str) -> None:
    def steps() -> None:
        program.wait_for("started one")
        asked = program.machine.server.reads
        program.machine.server.trouble = trouble
        while program.machine.server.reads < asked + 3:
            time.sleep(0.01)
        program.machine.server.trouble = ""
        program.machine.server.secrets["API_KEY"] = "two"
        program.wait_for("started two")

    assert program.run(steps, interval=0.02) == 7
    assert program.lines == ["started one", "told SIGTERM", "started two", "over"]
    told = [each for each in program.machine.told if "Secrets changed" not in each]
    assert len(told) == 2, "trouble is told once as long as it lasts, and its end"
    assert told[1] == "The server answers again."


def test_nothing_is_started_when_the_server_refuses_or_nothing_is_known(program: Program) -> None:
    program.machine.server.trouble = "refused"
    with pytest.raises(Refusal):
        program.run(lambda: None)
    program.machine.server.trouble = "500"
    with pytest.raises(Outage):
        program.run(lambda: None)
    assert program.lines == []


def test_a_silent_server_does_not_delay_a_start_with_a_copy(program: Program) -> None:
    program.machine.reader().read()
    program.machine.server.let_go.clear()
    program.machine.server.trouble = "silent"

    def steps() -> None:
        program.wait_for("started one")
        assert program.machine.server.trouble == "silent"
        program.machine.server.trouble = ""
        program.machine.server.let_go.set()

    assert program.run(steps, patience=0.05) == 7
    assert "The server has not answered yet" in program.machine.told[0]


def test_signals_reach_the_program_and_its_end_is_ours(program: Program) -> None:
    def steps() -> None:
        program.wait_for("started one")
        os.kill(os.getpid(), signal.SIGHUP)
        program.wait_for("told SIGHUP")
        os.kill(os.getpid(), signal.SIGTERM)
        program.wait_for("told SIGTERM")

    assert program.run(steps) == 5
    assert program.lines == ["started one", "told SIGHUP", "told SIGTERM"]


def test_a_program_that_ignores_the_request_to_end_is_ended_with_all_that_it_started(program: Program) -> None:
    def steps() -> None:
        program.wait_for("started one")
        program.machine.server.secrets["API_KEY"] = "two"
        program.wait_for("started two")

    assert program.run(steps, "stubborn", "parent", grace=0.1) == 7
    children = [int(line.split()[1]) for line in program.lines if line.startswith("child ")]
    assert len(children) == 2
    until = time.monotonic() + 60
    while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children):
        assert time.monotonic() < until, "what it started goes on"
        time.sleep(0.01)


def test_a_program_gets_no_credential_of_ours_and_no_variable_that_loads_code(program: Program, tmp_path: Path) -> None:
    shown = tmp_path / "environment"
    program.machine.server.secrets |= {"LD_PRELOAD": "/tmp/evil.so", "PATH": "/tmp", "not-a-variable": "x"}
    code = f"import os; open({str(shown)!r}, 'w').write(repr(dict(os.environ)))"
    environ = {**program.machine.environ, "PATH": os.environ["PATH"], "KEYTURN_TOKEN": "kt-token-canary"}
    reader = program.machine.reader()
    plan = RunPlan([sys.executable, "-c", code], patience=5.0)
    assert Runner(reader, plan, environ, program.machine.told.append).run() == 0
    for thread in threading.enumerate():
        if thread.name == "secrets":
            thread.join(60)
    text = shown.read_text()
    assert "'API_KEY': 'one'" in text
    assert SECRET not in text
    assert "canary" not in text
    assert "evil" not in text
    refused = [each for each in program.machine.told if "is not passed on" in each]
    assert [
        name for name in ("LD_PRELOAD", "PATH", "not-a-variable") if any(f"'{name}'" in each for each in refused)
    ] == [
        "LD_PRELOAD",
        "PATH",
        "not-a-variable",
    ]


def test_a_program_that_is_not_there_is_a_clear_error(program: Program) -> None:
    plan = RunPlan(["/no/such/program"], patience=5.0)
    with pytest.raises(Misconfigured, match="No such file"):
        Runner(program.machine.reader(), plan, {}, program.machine.told.append).run()
