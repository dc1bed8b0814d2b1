"""Puts back what a test changed in the logging of its process: other tests look at logs, too."""

import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from keyturn.web.server import logs


@contextmanager
def kept_log_state() -> Iterator[logging.Logger]:
    """Yield the root logger without handlers; afterwards all handlers, levels and hooks are as they were."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in _names()}
    root.handlers.clear()
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name in _names():
            logger, before = logging.getLogger(name), levels.get(name, logging.NOTSET)
            if logger.level != before:  # setting one goes through all others
                logger.setLevel(before)
        sys.excepthook, threading.excepthook = hooks
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """Yield what is logged, at the most talkative level: as it is written, and as it was before it was redacted."""
    stream = io.StringIO()
    with kept_log_state() as root:
        logs.configure("DEBUG", "json", stream)
        root.addHandler(logging.StreamHandler(stream))
        yield stream


def _names() -> list[str]:
    return [name for name, logger in logging.root.manager.loggerDict.items() if isinstance(logger, logging.Logger)]
