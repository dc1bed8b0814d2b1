"""Whether another process of this machine still exists."""

import platform
from pathlib import Path

_PROC = Path("/proc")


def describe(pid: int) -> str | None:
    """Return what tells this process from every other, also from a later one with its number; None when it has ended.

    The parts: host name, boot, space of process numbers (each container has its own), and when it began in the kernel's
    ticks. No wall clock is involved, so nothing changes when that is set. Where ``/proc`` is not there, or does not tell the
    boot (``ProcSubset=pid`` of systemd): the host name only.
    """
    machine = here()
    if machine is None:
        return platform.node()
    try:
        fields = _PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in "ZX":  # ended, and only waits for its parent to notice
        return None
    return f"{machine} start={fields[19]}"


def here() -> str | None:
    """Return the machine's part of :func:`describe`; None where it cannot be known."""
    try:
        boot = _PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
        numbers = str(_PROC.joinpath("self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return None
    return f"{platform.node()} boot={boot} pids={numbers}"


def is_gone(host: str, pid: int) -> bool:
    """Say whether the process so described surely no longer exists. False when that cannot be known from here."""
    machine, separator, _ = host.rpartition(" start=")
    return bool(separator) and machine == here() and describe(pid) != host
