"""Puts back what a test changed in the logging of its process: other tests look at logs, too."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


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
            logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
        sys.excepthook, threading.excepthook = hooks
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()


def _names() -> list[str]:
    return [name for name, logger in logging.root.manager.loggerDict.items() if isinstance(logger, logging.Logger)]
