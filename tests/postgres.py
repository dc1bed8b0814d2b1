"""A throwaway PostgreSQL server for tests: one per machine user, started when first needed, removed by its last user.

    with fresh_database() as url:
        ...  # an empty database of this test's own, e.g. postgresql://tests:...@127.0.0.1:41573/t_ab12cd34

All test processes that run at the same time (xdist workers, several runs) share the server. A process that was killed
is not counted as a user, so the next run still clears away what it left.
"""

import atexit
import fcntl
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.ports import free_port

_ROOT = Path(tempfile.gettempdir()) / f"keyturn-test-postgres-{os.getuid()}"
_USER = "tests"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    # The data is thrown away: nothing has to survive a power cut.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_wal_size": "2GB",
    # A database serves test after test, emptied: rows stay in the order in which they came, as in one that is new.
    "autovacuum": "off",
    # Dropping a database waits for every connection that is half signed in: a test whose line hangs would hold up all others.
    "authentication_timeout": "10",
}


def postgres_url() -> str:
    """Return the address of the server's maintenance database, starting the server when it does not run.

    Safe to repeat. The server lives at least as long as this process. Raises RuntimeError when PostgreSQL is missing.
    """
    with _lock():
        if not _user_file().exists():
            _user_file().write_text(_birth(os.getpid()))
            atexit.register(_release, os.getpid())
        if not _running():
            _start()
        return (_ROOT / "url").read_text()


@contextmanager
def fresh_database(prepare: Callable[[str], None] | None = None, *, template: str = "template0") -> Iterator[str]:
    """Yield the address of a new database and drop it afterwards, whoever is still connected.

    ``prepare(url)`` may fill a database that is then copied for every caller that gives the same ``template`` name:
    migrations run once per server instead of once per test. It must close its connections.
    """
    url = make_database(prepare, template=template)
    try:
        yield url
    finally:
        drop_database(url)


def make_database(prepare: Callable[[str], None] | None = None, *, template: str = "template0") -> str:
    """Make what ``fresh_database`` yields, and return its address. It goes with the server at the latest."""
    server = postgres_url()
    if prepare is not None:
        _prepare_template(server, template, prepare)
    name = f"t_{secrets.token_hex(6)}"
    _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return _named(server, name)


def drop_database(url: str) -> None:
    """Drop a database, whoever is still connected. Safe to repeat."""
    _execute(postgres_url(), f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')


def _prepare_template(server: str, template: str, prepare: Callable[[str], None]) -> None:
    with _lock():
        with psycopg.connect(server) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone():
                return
        unfinished = f"unfinished_{secrets.token_hex(6)}"
        _execute(server, f'CREATE DATABASE "{unfinished}" TEMPLATE template0')
        prepare(_named(server, unfinished))
        _execute(server, f'ALTER DATABASE "{unfinished}" RENAME TO "{template}"')


def _named(server: str, name: str) -> str:
    return f"{server.rpartition('/')[0]}/{name}"


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


# --- the server's life ------------------------------------------------------------------------------------------------


@contextmanager
def _lock() -> Iterator[None]:
    _ROOT.mkdir(mode=0o755, exist_ok=True)
    if _ROOT.stat().st_uid != os.getuid() or _ROOT.is_symlink():
        raise RuntimeError(f"{_ROOT} belongs to somebody else")
    with (_ROOT / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _user_file() -> Path:
    folder = _ROOT / "users"
    folder.mkdir(exist_ok=True)
    return folder / str(os.getpid())


def _birth(pid: int) -> str:
    """Return when the process began (the kernel's ticks): a later process with its number is not taken for it.

    Raises OSError when there is no such process; one that has ended but was not yet reaped counts as none.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if fields[0] in "ZX":
        raise ProcessLookupError(pid)
    return fields[19]


def _alive(pid: int, birth: str) -> bool:
    try:
        return _birth(pid) == birth
    except OSError:
        return False


def _running() -> bool:
    try:
        pid = int((_ROOT / "data" / "postmaster.pid").read_text().split("\n")[0])
        with psycopg.connect((_ROOT / "url").read_text(), connect_timeout=60):
            return _birth(pid) != ""
    except (OSError, ValueError, psycopg.OperationalError):
        return False


def _start() -> None:
    shutil.rmtree(_ROOT / "data", ignore_errors=True)
    password = secrets.token_hex(16)
    secret = _ROOT / "password"
    secret.unlink(missing_ok=True)
    secret.touch(0o600)
    secret.write_text(password)
    data = _ROOT / "data"
    data.mkdir(mode=0o700)
    if os.getuid() == 0:
        account = pwd.getpwnam("postgres")
        for path in (secret, data):
            os.chown(path, account.pw_uid, account.pw_gid)
    # "password" and not scram: on loopback it hides nothing less, and a connection opens 5 ms faster.
    flags = ["-U", _USER, "--auth=password", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C", "--no-sync"]
    _as_owner("initdb", "-D", str(data), *flags)
    port = free_port()
    options = " ".join(f"-c {name}='{value}'" for name, value in (_SETTINGS | {"port": str(port)}).items())
    _as_owner("pg_ctl", "-D", str(data), "-l", str(data / "log"), "-w", "-t", "60", "-o", options, "start")
    secret.unlink()
    url = _ROOT / "url"
    url.unlink(missing_ok=True)
    url.touch(0o600)
    url.write_text(f"postgresql://{_USER}:{password}@127.0.0.1:{port}/postgres")


def _release(pid: int) -> None:
    if os.getpid() != pid:  # a forked child runs its parent's exit handlers
        return
    with _lock():
        _user_file().unlink(missing_ok=True)
        for path in (_ROOT / "users").iterdir():
            if _alive(int(path.name), path.read_text()):
                return
            path.unlink()
        if _running():
            _as_owner("pg_ctl", "-D", str(_ROOT / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(_ROOT / "data", ignore_errors=True)
        (_ROOT / "url").unlink(missing_ok=True)


def _as_owner(program: str, *arguments: str) -> None:
    """Run a PostgreSQL program; as the account ``postgres`` when we are root, since it refuses to run as root."""
    command = [str(_programs() / program), *arguments]
    if os.getuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    # The server inherits the output: a pipe would be held open by it for ever.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd="/", check=False
        )
        if done.returncode:
            output.seek(0)
            raise RuntimeError(f"{program} failed: {output.read().decode(errors='replace')}")


def _programs() -> Path:
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]), reverse=True
    )
    initdb = shutil.which("initdb")
    folders += [Path(initdb).resolve().parent] if initdb else []
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    raise RuntimeError("These tests need PostgreSQL's server programs (Debian: apt-get install postgresql).")
