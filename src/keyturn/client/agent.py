"""``keyturn agent``: keeps files as the secrets are, and tells programs when they changed.

Each set of files stands for itself: what goes wrong with one is told, tried again, and stops no other. What was delivered and
who was told is written down, so that a restart of the agent restarts nobody.
"""

import hmac
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from hashlib import sha256

from keyturn.client.agent_config import AgentPlan, OnChange, SetPlan
from keyturn.client.agent_state import SetState, StateFile
from keyturn.client.domain import Reading, SecretSet, Source
from keyturn.client.file_sets import Content, exchange, is_there
from keyturn.client.reader import Reader
from keyturn.client.settings import CREDENTIALS
from keyturn.client.templates import content_of
from keyturn.client.watching import News, NewsOfSource, Poll
from keyturn.errors import KeyturnError, Misconfigured
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass

_TOLD_AGAIN = (2.0, 10.0, 60.0, 300.0)
_COMMAND_SECONDS = 60.0


@dataclass
class _Folder:
    """One folder of secrets, and the sets that are made from it. Moments are of the monotonic clock."""

    reader: Reader
    news: NewsOfSource
    plans: Sequence[SetPlan]
    looked: bool = False
    latest: Reading | None = None
    delivered: SecretSet | None = None
    deliver_at: float | None = None
    telling_at: dict[str, float] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)

    def moments(self) -> Iterator[float]:
        yield from self.telling_at.values()
        if self.deliver_at is not None:
            yield self.deliver_at


class Agent:
    """Delivers the sets of a plan. ``key`` makes digests of what was delivered: the state must not tell what that was.

    ``news_of`` says how it is learned what a reader reads: when it is due, unless given.
    """

    def __init__(
        self,
        plan: AgentPlan,
        reader_of: Callable[[Source], Reader],
        state: StateFile,
        key: bytes,
        tell: Callable[[str], None],
        *,
        environ: Mapping[str, str],
        news_of: Callable[[Reader], NewsOfSource] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settle = plan.settle
        self._state = state
        self._key = key
        self._tell = tell
        self._environ = environ
        self._monotonic = monotonic
        self._now = now
        self._folders = []
        for source in dict.fromkeys(each.source for each in plan.sets):
            reader, plans = reader_of(source), [each for each in plan.sets if each.source == source]
            news = news_of(reader) if news_of else Poll(reader, monotonic)
            self._folders.append(_Folder(reader, news, plans))

    @property
    def looked(self) -> bool:
        """Whether something came of the first look at each folder of secrets, be it trouble."""
        return all(each.looked for each in self._folders)

    def turn(self) -> float:
        """Do what is due. Returns after how many seconds there is more to do. Never raises for what concerns one set."""
        for folder in self._folders:
            news = folder.news.take()
            if news is not None:
                self._note(folder, news)
            if folder.deliver_at is not None and self._monotonic() >= folder.deliver_at:
                self._deliver_all(folder)
            for plan in folder.plans:
                if plan.name in folder.telling_at and self._monotonic() >= folder.telling_at[plan.name]:
                    self._tell_program(folder, plan)
        now = self._monotonic()
        moments = [moment - now for each in self._folders for moment in each.moments()]
        return max(min([*moments, *(each.news.due_in() for each in self._folders)]), 0.0)

    def troubles(self) -> Sequence[str]:
        """Return what is wrong with each set that something is wrong with."""
        states = self._state.all()
        return [f"{name}: {state.trouble}" for name, state in states.items() if state.trouble]

    def _note(self, folder: _Folder, news: News) -> None:
        folder.looked = True
        if isinstance(news, KeyturnError):
            self._trouble(folder.plans, news.diagnostics())
            return
        folder.latest = news
        if folder.delivered is None or news.secret_set.same(folder.delivered):
            folder.deliver_at = self._monotonic()
        elif folder.deliver_at is None:
            # More may change at this moment: what belongs together is delivered together.
            folder.deliver_at = self._monotonic() + self._settle

    def _deliver_all(self, folder: _Folder) -> None:
        reading, folder.deliver_at = folder.latest, None
        if reading is None:
            return
        folder.delivered = reading.secret_set
        stale = (
            f"{reading.stale.message}. Files are as of {reading.secret_set.read_at:%Y-%m-%d %H:%M} UTC."
            if reading.stale
            else ""
        )
        for plan in folder.plans:
            self._deliver(folder, plan, reading.secret_set, stale)
        self._acknowledge(folder)

    def _acknowledge(self, folder: _Folder) -> None:
        """Say that what was delivered is in use, once every program of the folder was told of it.

        Of one that is never told nobody knows when it takes what is new: then nothing is said.
        """
        states = [self._state.get(plan.name) for plan in folder.plans]
        known = all(plan.on_change is not OnChange.NONE for plan in folder.plans)
        if folder.delivered is not None and known and all(each.told == each.delivered is not None for each in states):
            folder.reader.use(folder.delivered)

    def _deliver(self, folder: _Folder, plan: SetPlan, secret_set: SecretSet, stale: str) -> None:
        before = self._state.get(plan.name)
        try:
            contents = [Content(file, content_of(file, secret_set.values)) for file in plan.files]
            digest = self._digest(contents)
            if digest != before.delivered or not is_there(plan, contents):
                exchange(plan, contents)
                self._tell(f"{plan.name}: {counted(len(contents), 'file')} written in {plan.directory}.")
        except (KeyturnError, OSError) as error:
            text = error.diagnostics() if isinstance(error, KeyturnError) else type(error).__name__
            self._trouble([plan], text)
            return
        first = before.delivered is None
        # Equal content is no news, whoever wrote it: nobody is told of a file that was only put back.
        told = digest if (first and not plan.at_first) or plan.on_change is OnChange.NONE else before.told
        at = before.delivered_at if digest == before.delivered else self._now()
        waits = plan.name in folder.telling_at and digest == before.delivered
        delivered = SetState(digest, told, at, secret_set.read_at, secret_set.usable_until, secret_set.key_ids)
        self._put(plan, replace(delivered, versions=secret_set.versions), before.trouble if waits else stale)
        if told != digest and not waits:
            folder.attempts[plan.name] = 0
            self._tell_program(folder, plan)

    def _tell_program(self, folder: _Folder, plan: SetPlan) -> None:
        """Tell the program of the newest content, and again until it worked: what failed is not forgotten."""
        state = self._state.get(plan.name)
        trouble = self._told(plan)
        if trouble is None:
            folder.telling_at.pop(plan.name, None)
            self._put(plan, replace(state, told=state.delivered), "")
            self._acknowledge(folder)
            return
        attempt = folder.attempts.get(plan.name, 0)
        folder.attempts[plan.name] = attempt + 1
        folder.telling_at[plan.name] = self._monotonic() + _TOLD_AGAIN[min(attempt, len(_TOLD_AGAIN) - 1)]
        self._trouble([plan], trouble)

    def _told(self, plan: SetPlan) -> str | None:
        """Tell the program. Returns what went wrong; None when nothing did."""
        if plan.on_change is OnChange.SIGNAL:
            try:
                pid = int(plan.pid_file.read_text("ascii"))
                os.kill(max(pid, 0) or _no_process(), plan.signal)
            except (OSError, ValueError) as error:
                return f"The program of {plan.pid_file} was not told: {type(error).__name__}."
            self._tell(f"{plan.name}: told the program of {plan.pid_file} ({signal.Signals(plan.signal).name}).")
            return None
        environ = {name: value for name, value in self._environ.items() if name not in CREDENTIALS}
        try:
            done = subprocess.run(  # noqa: S603 - what the operator wrote into the file
                list(plan.command), env=environ, stdin=subprocess.DEVNULL, timeout=_COMMAND_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return f"The command '{plan.command[0]}' did not end within {_COMMAND_SECONDS:g} seconds."
        except OSError as error:
            return f"The command '{plan.command[0]}' cannot be started: {error.strerror}."
        if done.returncode != 0:
            return f"The command '{plan.command[0]}' failed with status {done.returncode}."
        self._tell(f"{plan.name}: '{plan.command[0]}' was run.")
        return None

    def _trouble(self, plans: Sequence[SetPlan], text: str) -> None:
        for plan in plans:
            self._put(plan, self._state.get(plan.name), text)

    def _put(self, plan: SetPlan, state: SetState, trouble: str) -> None:
        """Write the state down with this trouble, which is told once as long as it stays the same."""
        before = self._state.get(plan.name)
        if trouble and trouble != before.trouble:
            self._tell(f"{plan.name}: {trouble}")
        state = replace(state, trouble=trouble)
        if state != before:
            try:
                self._state.put(plan.name, state)
            except OSError as error:
                self._tell(f"The state cannot be written ({error.strerror}): a restart may tell programs again.")

    def _digest(self, contents: Sequence[Content]) -> str:
        mac = hmac.new(self._key, digestmod=sha256)
        for each in contents:
            head = f"{each.plan.name}\0{each.plan.mode:o}\0{each.plan.owner}\0{each.plan.group}\0{len(each.content)}\0"
            mac.update(head.encode() + each.content)
        return mac.hexdigest()


def require_known_owners(plan: AgentPlan) -> None:
    """Raise Misconfigured for a file whose owner or group is not known: at the start, not when a secret changes."""
    from keyturn.client.file_sets import owner_of  # noqa: PLC0415

    for each in plan.sets:
        for file in each.files:
            owner_of(file)


def require_one_writer(plan: AgentPlan) -> None:
    """Raise Misconfigured when two sets would get in each other's way: by the same file, or by an exchange of their folder."""
    for each in plan.sets:
        for other in plan.sets:
            same = other.directory == each.directory and other is not each
            if same and (len(each.files) > 1 or each.files[0].name in {file.name for file in other.files}):
                raise Misconfigured(
                    f"The sets '{each.name}' and '{other.name}' both write in {each.directory}.",
                    code="client.agent_file",
                    fix="Give each a directory of its own.",
                )


def _no_process() -> int:
    """A number below 1 means whole groups, or every process there is."""
    raise ValueError("no number of a process")
