"""Durable work on DBOS: a row in its tables says which process works on which partition.

A row exists while the work is queued or running and is removed when it succeeded; what failed stays until the
partition's next work, or for an hour. Its id is the partition's: the primary key lets no second row in, in whichever
process. When a process dies its rows stay; ``release`` removes them, so that the living may submit the work anew. DBOS's own
recovery is not used: it begins work that nobody submitted, behind the back of who counts and limits it. Only this file
knows DBOS.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, cast

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID, WorkflowStatus, error
from sqlalchemy import event
from sqlalchemy.engine import URL

from keyturn.db.engine import ask_idle_connections
from keyturn.db.postgres import open_pool
from keyturn.db.sqlite import BUSY_SECONDS, add_functions
from keyturn.engine.payload import SealedJson, WorkFailed, describe_error, scrub_error, whereabouts
from keyturn.ports.clock import Clock
from keyturn.ports.work import Work

_log = structlog.get_logger("keyturn.engine")

APPLICATION = "keyturn"
VERSION = "1"
"""DBOS would otherwise derive one from the code. Rows mean the same to all versions: that work is under way."""
KEEP_FINISHED = timedelta(hours=1)
_SWEEP_LIMIT = 500
_WORK = "advance:"
"""What the ids of all works begin with. Servers of other versions use the same: it may not change."""
_FINISHED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_one_per_process = threading.Lock()  # DBOS keeps its state in module globals


class DbosEngine:
    """Implements ``ports.Engine``. At most one is started per operating system process at any time."""

    def __init__(self, url: URL, process_id: str, concurrency: int, codec: SealedJson, clock: Clock) -> None:
        self._url = url
        self._process_id = process_id
        self._concurrency = concurrency
        self._codec = codec
        self._clock = clock
        self._changed = threading.Condition()
        self._submitted: set[str] = set()  # from before the row is written until it is settled
        self._dbos: DBOS | None = None
        self._database: sa.Engine | None = None
        self._workflow: Callable[[str, str, str], None] = _not_started
        self._quiet = _Forward()

    def start(self, do: Callable[[Work], None]) -> None:
        """Begin to take work. Creates or upgrades DBOS's tables. Raises RuntimeError while another one is started."""
        if not _one_per_process.acquire(blocking=False):
            raise RuntimeError("another engine runs in this process")
        try:
            self._quiet.attach()
            self._database = _open(self._url, self._concurrency)
            self._dbos = DBOS(config=self._config(self._database))

            @DBOS.workflow(name="work_v2")
            def work_v2(kind: str, work_id: str, partition: str) -> None:
                self._run(do, Work(kind, work_id, partition))

            self._workflow = work_v2
            DBOS.launch()
        except BaseException:
            self._shut()
            raise

    def submit(self, work: Work) -> bool:
        """Write the work down and do it as soon as a thread is free.

        False when work of this partition is queued or running, here or in another process: ask again a little later.
        Safe to repeat. Blocks while the database cannot be reached.
        """
        row_id = _WORK + work.partition
        with self._changed:
            if self._dbos is None or row_id in self._submitted:
                return False
            self._submitted.add(row_id)
        future = None
        try:
            future = self._begin(row_id, work)
            if future is None and self._clear(row_id):
                future = self._begin(row_id, work)
        finally:
            if future is None:
                self._settled(row_id)
        if future is None:
            return False
        future.add_done_callback(lambda finished_future: self._finish(row_id, finished_future))
        return True

    def in_flight(self) -> int:
        with self._changed:
            return len(self._submitted)

    def stop(self, grace: timedelta) -> None:
        """Stop taking work and wait for the running items, at most the grace period. Safe to repeat.

        What still runs afterwards ends on its own; its row stays until this process is found dead.
        """
        with self._changed:
            dbos, self._dbos = self._dbos, None
            if dbos is None:
                return
            for stopped in dbos.background_thread_stop_events:
                stopped.set()
            self._changed.wait_for(lambda: not self._submitted, grace.total_seconds())
        self._shut()

    # --- for the survivors of a dead process (see lost.py) --------------------------------------------------------------

    def holders(self) -> set[str]:
        """Return the ids of the processes, living or dead, that have work under way."""
        return {row.executor_id for row in _rows(status="PENDING") if row.executor_id}

    def release(self, process_id: str) -> list[str]:
        """Strike off what this dead process had under way; return the partitions, whose work may now be submitted anew.

        Safe to repeat, and from several processes at once. Should the process turn out to be only slow, then its work ends
        as it would have, and only the lease keeps it from writing.
        """
        row_ids = [row.workflow_id for row in _rows(status="PENDING", executor_id=process_id)]
        _delete(row_ids)
        return [row_id.removeprefix(_WORK) for row_id in row_ids]

    def tidy(self) -> None:
        """Delete some rows of work that ended long ago."""
        before = (self._clock.now() - KEEP_FINISHED).isoformat()
        _delete([row.workflow_id for row in _rows(status=list(_FINISHED), completed_before=before, limit=_SWEEP_LIMIT)])

    # --- inside -----------------------------------------------------------------------------------------------------------

    def _config(self, database: sa.Engine) -> DBOSConfig:
        return {
            "name": APPLICATION,
            "system_database_engine": database,
            "application_version": VERSION,
            "executor_id": self._process_id,
            "max_executor_threads": self._concurrency,
            "serializer": _Serializer(self._codec),
            "use_listen_notify": False,
            "notification_listener_polling_interval_sec": 0.25,  # nothing listens; it only delays the stop
            "enable_otlp": False,
            "log_level": "WARNING",
        }

    def _begin(self, row_id: str, work: Work) -> Future[None] | None:
        try:
            with SetWorkflowID(row_id, workflow_id_reuse_policy="reject"):
                handle = DBOS.start_workflow(self._workflow, work.kind, work.id, work.partition)
        except error.DBOSWorkflowIDInUseError:
            return None
        return cast("Future[None]", cast(Any, handle).future)

    def _clear(self, row_id: str) -> bool:
        """Remove the row that keeps work from being submitted, if it stands for nothing; say whether it is gone."""
        for row in _rows(workflow_ids=[row_id]):
            # Ours, but not submitted: the database went away before the outcome was written.
            forgotten = row.status == "PENDING" and row.executor_id == self._process_id
            if not (row.status in _FINISHED or forgotten):
                return False
            _delete([row_id])
        return True

    def _run(self, do: Callable[[Work], None], work: Work) -> None:
        failure = None
        try:
            do(work)
        except Exception as problem:  # noqa: BLE001 - whatever it is, its words must not reach DBOS
            failure = scrub_error(problem)
            _log.error(
                "work failed", kind=work.kind, work_id=work.id, **describe_error(problem), at=whereabouts(problem)
            )
        if failure is not None:
            raise failure  # outside the handler, so that the original is not attached as its context

    def _finish(self, row_id: str, future: Future[None]) -> None:
        try:
            if not future.cancelled() and future.exception() is None and self._database is not None:
                _delete([row_id])
        except Exception as problem:  # noqa: BLE001 - the next submission or tidy() removes it
            _log.warning("a finished row stays for now", work=row_id, **describe_error(problem))
        finally:
            self._settled(row_id)

    def _settled(self, row_id: str) -> None:
        with self._changed:
            self._submitted.discard(row_id)
            self._changed.notify_all()

    def _shut(self) -> None:
        database, self._database, self._dbos = self._database, None, None
        try:
            DBOS.destroy(destroy_registry=True)
        finally:
            if database is not None:
                database.dispose()
            self._quiet.detach()
            _one_per_process.release()


def _not_started(_kind: str, _work_id: str, _partition: str) -> None:
    raise RuntimeError("the engine was not started")


def _rows(**conditions: Any) -> list[WorkflowStatus]:
    return DBOS.list_workflows(load_input=False, load_output=False, **conditions)


def _delete(row_ids: list[str]) -> None:
    if row_ids:
        DBOS.delete_workflows(row_ids)


class _Serializer(Serializer):
    """Gives DBOS the sealed form of everything it stores."""

    def __init__(self, codec: SealedJson) -> None:
        self._codec = codec

    def name(self) -> str:
        return "keyturn_sealed_json_1"

    def serialize(self, data: Any) -> str:
        return self._codec.encode(data)

    def deserialize(self, serialized_data: str) -> Any:
        return self._codec.decode(serialized_data)


class _Forward(logging.Handler):
    """Passes DBOS's warnings to our log: the sentence and the kind of error, no traceback and no second report of failures."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._logger = logging.getLogger("dbos")
        self._before = (self._logger.propagate, self._logger.level)

    def attach(self) -> None:
        """Take over DBOS's log. With a handler present it installs none of its own."""
        self._before = (self._logger.propagate, self._logger.level)
        self._logger.propagate = False
        self._logger.addHandler(self)

    def detach(self) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate, self._logger.level = self._before

    def emit(self, record: logging.LogRecord) -> None:
        problem = record.exc_info[1] if record.exc_info else None
        if isinstance(problem, WorkFailed):
            return  # was reported where it happened
        _log.warning("dbos", message=record.getMessage(), error=type(problem).__name__ if problem else None)


def _open(url: URL, concurrency: int) -> sa.Engine:
    """Return DBOS's own connections to the product's database. Errors never carry parameters."""
    if url.get_backend_name() != "sqlite":
        engine = open_pool(url, pool_size=4, max_overflow=concurrency)
        ask_idle_connections(engine)
        return engine
    engine = sa.create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        pool_size=4,
        max_overflow=concurrency,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # DBOS lets the driver begin its transactions: at the first write, and then at once with the lock.
    connection.isolation_level = "IMMEDIATE"
    add_functions(connection)
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA journal_mode=WAL")
    # What a power cut takes from DBOS is found again through the sources' own rows: no need to sync each of its commits.
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
