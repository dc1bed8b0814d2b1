"""Core dumps: the memory of who hands on secrets does not belong on a disk."""

import contextlib
import resource

Limits = tuple[int, int]


def forbid_core_dumps() -> Limits:
    """Let this process leave none; return the limits of before, which a program that it starts is given back."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    return before


def give_back(pid: int, limits: Limits) -> None:
    """Give a process the limits that it would have had without us."""
    with contextlib.suppress(OSError):
        resource.prlimit(pid, resource.RLIMIT_CORE, limits)
