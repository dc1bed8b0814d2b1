"""Logging: one line per event, on standard error, for people at a terminal and as JSON everywhere else.

Everything goes through here: our own events and those of granian, dbos, sqlalchemy, msal and the HTTP client. The last
step before a line is written takes secrets out of it.
"""

import logging
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping, Sequence
from copy import copy
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.types import Processor

from keyturn.kit.printable import visible, visible_line
from keyturn.kit.redact import redact, redact_item

_NEVER_CHATTY = ("sqlalchemy",)
"""Below a warning these show the values of database rows, which no pattern can tell from harmless text."""
_CHATTY = ("httpx2", "httpcore2", "httpx", "httpcore", "msal", "urllib3", "asyncio", "alembic")
_OF_LINES = frozenset({"exception", "stack"})
_OWN_HANDLERS = ("dbos", "_granian", "granian.access", "alembic")


def configure(level: str = "INFO", form: str = "auto", stream: TextIO | None = None) -> None:
    """Send all logging of this process to the stream. ``form`` is auto, console or json. Safe to repeat.

    Raises ValueError for an unknown level or form.
    """
    out = stream or sys.stderr
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"{level!r} is no log level")
    if form not in {"auto", "console", "json"}:
        raise ValueError(f"{form!r} is no log format: use auto, console or json")
    _configure_structlog(number)
    _configure_stdlib(number, _formatter(console=form == "console" or (form == "auto" and out.isatty())), out)
    sys.excepthook = _log_crash
    threading.excepthook = _log_thread_crash


def adopt(name: str = "dbos") -> None:
    """Take back a logger for which a library made its own handlers. Call after that library was set up."""
    logger = logging.getLogger(name)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.propagate = True


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take secrets out of an event: the last processor before the line is made."""
    return {key: value if key.startswith("_") else redact_item(key, value) for key, value in event.items()}


def _write_out(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Write out what a terminal would obey: paths and names are sent by strangers. Of a traceback the lines stay."""
    return {
        key: (visible if key in _OF_LINES else visible_line)(value) if isinstance(value, str) else value
        for key, value in event.items()
    }


def _shared() -> Sequence[Processor]:
    return (
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )


def _configure_structlog(level: int) -> None:
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _formatter(*, console: bool) -> logging.Formatter:
    plain = structlog.dev.plain_traceback
    renderers: list[Processor] = [structlog.processors.JSONRenderer()]
    if console:
        renderers = [_write_out, structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=list(_shared()),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # Plain tracebacks: one with the values of local variables would show secrets.
            structlog.processors.format_exc_info,
            redact_event,
            *renderers,
        ],
    )


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines. One that cannot be made is reported without its content, which nothing has redacted."""

    def format(self, record: logging.LogRecord) -> str:
        """Redact what is to be put into the sentence while its keys are still known, then format."""
        arguments = record.args
        if isinstance(arguments, Mapping):
            arguments = {key: redact_item(str(key), value) for key, value in arguments.items()}
        elif arguments:
            arguments = tuple(redact(each) if isinstance(each, Mapping | list | tuple) else each for each in arguments)
        safe = copy(record)
        safe.args = arguments
        return super().format(safe)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        where = f"{record.pathname}:{record.lineno}"
        reason = type(sys.exc_info()[1]).__name__
        self.stream.write(f"a log line of {where} could not be written: {reason}{self.terminator}")


def _configure_stdlib(level: int, formatter: logging.Formatter, stream: TextIO) -> None:
    handler = _Handler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _OWN_HANDLERS:
        adopt(name)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.NOTSET if level <= logging.DEBUG else logging.WARNING)
    for name in _NEVER_CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger("keyturn").critical("the program ends with an error", exc_info=(kind, error, trace))


def _log_thread_crash(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit:
        return
    text = "".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback))
    name = args.thread.name if args.thread else None
    structlog.get_logger("keyturn").critical("a thread ended with an error", thread_name=name, exception=text)
