"""Broken assertions of compiled libraries, which hostile bytes can reach: no Exception, so that nothing would catch them."""

from collections.abc import Iterator
from contextlib import contextmanager

_RUST = "pyo3_runtime"  # the module of PyO3's PanicException, which cannot be imported


class Panicked(Exception):
    """A compiled library gave up in the middle of its work. What it said may hold what it was given, so it is dropped."""


@contextmanager
def contain_panics() -> Iterator[None]:
    """Raise Panicked for a panic inside; everything else passes, the end of the process too."""
    try:
        yield
    except BaseException as failure:
        if type(failure).__module__ != _RUST:
            raise
        raise Panicked from None
