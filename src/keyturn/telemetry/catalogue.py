"""Every metric of this server, declared once: the reference is made of it, and alert rules and dashboards are checked by it."""

from enum import StrEnum

from keyturn.kit.dataclasses import dataclass


class Kind(StrEnum):
    COUNTER = "counter"
    """Its series end with ``_total``."""
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"
    """Its series end with ``_info``, and are always 1."""


@dataclass(frozen=True)
class Metric:
    """``name`` is without the ending of its kind; ``bound`` says how many series there are at most, in words."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    bound: str = "one"
    buckets: tuple[float, ...] = ()
    of_database: bool = False
    """Whether the database tells it, so that it is the same in every process."""

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which its series are found."""
        endings = {
            Kind.COUNTER: ("_total",),
            Kind.GAUGE: ("",),
            Kind.HISTOGRAM: ("_bucket", "_sum", "_count"),
            Kind.INFO: ("_info",),
        }
        return tuple(self.name + ending for ending in endings[self.kind])


BUILD = Metric("keyturn_build", Kind.INFO, "The version of this process.", ("version",))
REQUESTS = Metric(
    "keyturn_http_request_duration_seconds",
    Kind.HISTOGRAM,
    "How long requests took; of those that wait for changes, and of streams, with the time of that. `route` is the"
    " template (`none`: no such address), `status` the class of the answer's status, `2xx` to `5xx`, or `none` where the caller"
    " was gone. Reads that were answered at once are in `keyturn_secret_reads` alone.",
    ("method", "route", "status"),
    "the routes of this server, with up to five classes of status",
    (0.01, 0.05, 0.25, 1.0, 5.0),
)
REFUSALS = Metric(
    "keyturn_refusals",
    Kind.COUNTER,
    "Requests that were answered with an error, by its stable code (docs/reference/errors.md): failed sign-ins are"
    " `access.invalid_credentials`, `access.code_wrong` and `access.locked`.",
    ("code",),
    "the codes of errors, of which few occur",
)
CALLS = Metric(
    "keyturn_entra_call_duration_seconds",
    Kind.HISTOGRAM,
    "How long calls to Microsoft took. `host` is `sign-in`, `graph` or `other`; `outcome` is `2xx`, `3xx`, `4xx`, `5xx`,"
    " `throttled` (status 429, or a 503 that says when to come again), or `none` (no answer came).",
    ("host", "outcome"),
    "18",
    (0.1, 0.5, 2.0, 10.0),
)
STEPS = Metric(
    "keyturn_rotation_step_duration_seconds",
    Kind.HISTOGRAM,
    "How long steps of rotations took in this process, by their name and outcome (docs/explanation/rotation-protocol.md).",
    ("step", "outcome"),
    "the steps of the protocol, with up to four outcomes",
    (0.1, 0.5, 2.0, 10.0, 60.0),
)
RUNS = Metric(
    "keyturn_runs",
    Kind.COUNTER,
    "Runs of rotations that this process brought to their end. `reason` is why they began, `result` is `succeeded` or `failed`,"
    " `cause` the code of the error that ended one that failed.",
    ("reason", "result", "cause"),
    "the reasons, with the codes of errors that occur",
)
WORK_UNDER_WAY = Metric(
    "keyturn_work_under_way", Kind.GAUGE, "Pieces of work that this process does or has taken to do."
)
WORK_PLACES = Metric(
    "keyturn_work_places", Kind.GAUGE, "How many of them it does at the same time (KEYTURN_CONCURRENCY)."
)
READS = Metric(
    "keyturn_secret_reads",
    Kind.COUNTER,
    "Reads of secrets by programs: answered from what was read before (`kept`), likewise with nothing new (`unchanged`), or with"
    " the database (`looked_up`, refused ones among them).",
    ("answer",),
    "3",
)
WAITERS = Metric("keyturn_waiters", Kind.GAUGE, "Requests that wait for changes of secrets, with those of streams.")
WAITERS_LIMIT = Metric("keyturn_waiters_limit", Kind.GAUGE, "How many may wait (KEYTURN_MAX_WAITERS).")
REQUESTS_INSIDE = Metric(
    "keyturn_http_requests_inside", Kind.GAUGE, "Requests that have a thread, or wait for one; 512 are taken at most."
)
POOL = Metric(
    "keyturn_database_connections",
    Kind.GAUGE,
    "Connections of this process to its database: `used`, `idle`, and how many there are at most (`limit`).",
    ("state",),
    "3",
)
CLOCK_AHEAD = Metric(
    "keyturn_clock_ahead_seconds",
    Kind.GAUGE,
    "How far this server's clock is ahead of Entra ID's; missing while no answer told.",
)
BACKUP = Metric(
    "keyturn_backup_timestamp_seconds",
    Kind.GAUGE,
    "When the newest backup in this process's folder of backups was made, in seconds since 1970; 0: there is none. Missing where"
    " KEYTURN_BACKUP_DIR is not set.",
)
BACKUP_INTERVAL = Metric(
    "keyturn_backup_interval_seconds", Kind.GAUGE, "How often this process makes a backup (KEYTURN_BACKUP_HOURS)."
)

# --- what the database tells, the same in every process -----------------------------------------------------------------

MOST_ENDS = 500
"""Subjects whose end is told by id: those that end soonest."""

DATABASE_ANSWERS = Metric(
    "keyturn_database_answers",
    Kind.GAUGE,
    "1 if the database answered the reading behind the gauges that it tells, else 0, and those are missing.",
    of_database=True,
)
DATABASE_READ = Metric(
    "keyturn_database_read_seconds",
    Kind.GAUGE,
    "How long that reading took.",
    of_database=True,
)
CONNECTIONS = Metric(
    "keyturn_connections",
    Kind.GAUGE,
    "App connections: `accepted`, `refused` by Entra ID, or `unchecked`.",
    ("state",),
    "3",
    of_database=True,
)
ROTATIONS = Metric(
    "keyturn_rotations",
    Kind.GAUGE,
    "Rotations: `failed`, `off`, `paused`, `new` (has never rotated), else `fine`.",
    ("state",),
    "5",
    of_database=True,
)
ROTATIONS_OVERDUE = Metric(
    "keyturn_rotations_overdue",
    Kind.GAUGE,
    "Rotations whose next run should have begun more than an hour ago.",
    of_database=True,
)
CREDENTIALS = Metric(
    "keyturn_credentials",
    Kind.GAUGE,
    "Credentials that this server made or took over: `current`, `retiring` (replaced, not yet to be removed), `revoking` (being"
    " removed), `lost` (gone from Entra ID).",
    ("state",),
    "4",
    of_database=True,
)
CREDENTIAL_END = Metric(
    "keyturn_credential_end_timestamp_seconds",
    Kind.GAUGE,
    "When the credential of a connection ends, or the current one of a rotation of another application, in seconds since 1970."
    " `subject` is `connection` or `rotation`, `id` its id.",
    ("subject", "id"),
    f"{MOST_ENDS}, those that end soonest",
    of_database=True,
)
NAMES = Metric(
    "keyturn_subject",
    Kind.INFO,
    "The names that people gave to what `keyturn_credential_end_timestamp_seconds` tells of. Only with `KEYTURN_METRICS_NAMES`.",
    ("subject", "id", "project_id", "name"),
    f"{MOST_ENDS}",
    of_database=True,
)
RUNS_ACTIVE = Metric(
    "keyturn_runs_active", Kind.GAUGE, "Runs that are under way or wait for a further try.", of_database=True
)
PROCESSES = Metric(
    "keyturn_processes_alive", Kind.GAUGE, "Processes that do work and have given a sign of life.", of_database=True
)
DUE_WORK_AGE = Metric(
    "keyturn_due_work_age_seconds",
    Kind.GAUGE,
    "For how long the oldest piece of work of a source has been due without being begun; 0: none is due.",
    ("source",),
    "9, the sources of work",
    of_database=True,
)
ALARMS = Metric(
    "keyturn_alarms_open",
    Kind.GAUGE,
    "Alarms that are open.",
    ("severity",),
    "3",
    of_database=True,
)
ALARM_MESSAGES = Metric(
    "keyturn_alarm_messages",
    Kind.GAUGE,
    "Messages of alarms: `waiting` for their moment, `failing` (tried in vain, to be tried again), `given_up` of the last day.",
    ("state",),
    "3",
    of_database=True,
)
ALARM_CHANNELS_FAILING = Metric(
    "keyturn_alarm_channels_failing",
    Kind.GAUGE,
    "Channels of alarms whose last message did not arrive.",
    of_database=True,
)
WEBHOOK_MESSAGES_WAITING = Metric(
    "keyturn_webhook_messages_waiting",
    Kind.GAUGE,
    "Messages of webhooks that have not arrived and will be tried again.",
    of_database=True,
)
WEBHOOKS_FAILING = Metric(
    "keyturn_webhooks_failing", Kind.GAUGE, "Webhooks whose last message did not arrive.", of_database=True
)
AUDIT_STREAMS_FAILING = Metric(
    "keyturn_audit_streams_failing",
    Kind.GAUGE,
    "Receivers of all audit events that did not take the last ones, or whose position was changed in the database.",
    of_database=True,
)
LOCKED = Metric(
    "keyturn_locked_accounts",
    Kind.GAUGE,
    "Users and machine identities whose sign-in is locked after failures.",
    ("kind",),
    "2",
    of_database=True,
)


CATALOGUE: tuple[Metric, ...] = tuple(value for value in tuple(globals().values()) if isinstance(value, Metric))
