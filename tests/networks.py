"""A network space of its own for a process, in which packets can be lost: for root on Linux only."""

import itertools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

_numbers = itertools.count()


def missing() -> str | None:
    """Return why no network space can be made here; None when it can."""
    if os.getuid() != 0:
        return "only root may make a network space"
    for program in ("ip", "iptables"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    name = f"kt-probe-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"this machine makes no network space: {tried.stderr.strip()}"
    _run("ip", "netns", "del", name)
    return None


class Space:
    """A network space with one line to this machine, on which :attr:`port` leads to the given port of this machine."""

    def __init__(self, name: str, inside: str, outside: str, port: int) -> None:
        self.name = name
        self.host = outside
        self._inside = inside
        self._target = port
        self._lock = threading.Lock()
        self._flows: list[tuple[socket.socket, socket.socket]] = []
        self._listening = socket.create_server((outside, 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs another one in the space."""
        return ["ip", "netns", "exec", self.name, *arguments]

    def lose_packets(self) -> int:
        """From now on lose, in both directions, all packets of the flows that exist; return how many there are."""
        with self._lock:
            ports = [str(near.getpeername()[1]) for near, _ in self._flows if _open(near)]
        for port in ports:
            for chain, side in (("OUTPUT", "--sport"), ("INPUT", "--dport")):
                _run(*self.command("iptables", "-w", "-A", chain, "-p", "tcp", side, port, "-j", "DROP"))
        return len(ports)

    def close(self) -> None:
        self._listening.close()
        with self._lock:
            for each in itertools.chain.from_iterable(self._flows):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            with self._lock:
                self._flows.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


@contextmanager
def space(port: int) -> Iterator[Space]:
    """Make a space; all of it is gone at the end of the block."""
    number = next(_numbers)
    name = f"kt-{os.getpid()}-{number}"
    line = f"kt{os.getpid()}n{number}"
    third, fourth = divmod((os.getpid() * 7 + number) % (64 * 250), 64)
    outside, inside = f"10.213.{third}.{fourth * 4 + 1}", f"10.213.{third}.{fourth * 4 + 2}"
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "link", "add", f"{line}o", "type", "veth", "peer", "name", f"{line}i", "netns", name)
        _run("ip", "addr", "add", f"{outside}/30", "dev", f"{line}o")
        _run("ip", "link", "set", f"{line}o", "up")
        _run("ip", "-n", name, "addr", "add", f"{inside}/30", "dev", f"{line}i")
        _run("ip", "-n", name, "link", "set", f"{line}i", "up")
        network = Space(name, inside, outside, port)
        try:
            yield network
        finally:
            network.close()
    finally:
        _run("ip", "netns", "del", name)
        subprocess.run(["ip", "link", "del", f"{line}o"], capture_output=True, check=False)  # goes with the space


def _open(flow: socket.socket) -> bool:
    try:
        return bool(flow.getpeername())
    except OSError:
        return False


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            sink.sendall(part)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def _run(*command: str) -> Sequence[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.splitlines()
