"""PgBouncer in transaction mode before the tests' PostgreSQL: each transaction may run in another session."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from tests.ports import free_port

SESSIONS = 3
_PATIENCE = 60


def missing() -> str | None:
    """Return why there is no pooler; None when there is one."""
    return None if shutil.which("pgbouncer") else "pgbouncer is not installed"


@contextmanager
def pooled(url: str, folder: Path, *, sessions: int = SESSIONS) -> Iterator[str]:
    """Yield the address of the same database behind a pooler with so many sessions."""
    behind = make_url(url)
    port = free_port()
    folder.chmod(0o755)
    users, settings = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{behind.username}" "{behind.password}"\n')
    settings.write_text(
        f"[databases]\n* = host={behind.host} port={behind.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {users}\npool_mode = transaction\n"
        f"default_pool_size = {sessions}\nmax_client_conn = 200\nlogfile = {folder / 'log'}\n"
    )
    command = ["pgbouncer", str(settings)]
    if os.getuid() == 0:
        account = pwd.getpwnam("postgres")
        for path in (folder, users, settings):
            os.chown(path, account.pw_uid, account.pw_gid)
        command = ["runuser", "-u", "postgres", "--", *command]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            address = behind.set(port=port, drivername="postgresql").render_as_string(hide_password=False)
            _await_answer(address, child)
            yield address
        finally:
            child.terminate()
            child.wait(_PATIENCE)


def _await_answer(address: str, child: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and child.poll() is None:
        try:
            psycopg.connect(address, connect_timeout=60).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("pgbouncer did not start")
