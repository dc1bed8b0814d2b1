"""The check of ``keyturn doctor`` that looks whether the connection to PostgreSQL is encrypted."""

from ipaddress import ip_address
from typing import Any

from keyturn.cli.finding import CheckupFinding, ok
from keyturn.db.unit import Database

_SUBJECT = "database TLS"
_CHECKED = frozenset({"verify-full", "verify-ca"})


def encryption(db: Database) -> CheckupFinding:
    """Return how the connection to PostgreSQL is protected. ``db`` can be reached."""
    with db.engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        asked = driver.info.get_parameters()
        host, encrypted = driver.info.host or "", bool(driver.pgconn.ssl_in_use)
    return judge_connection(host, asked.get("sslmode", ""), encrypted=encrypted)


def judge_connection(host: str, sslmode: str, *, encrypted: bool) -> CheckupFinding:
    """Judge a connection to this host, a folder for a socket on this machine. ``sslmode`` is what the settings ask for. Pure."""
    if _is_here(host):
        return ok(_SUBJECT, "PostgreSQL is on this machine.")
    fix = "Set DB_ROOT_CERT, or sslmode=verify-full in DB_CONNECTION_URI; what is stored is sealed all the same."
    if not encrypted:
        message = f"The connection to PostgreSQL at {host} is not encrypted: names, addresses and digests of tokens can be read."
        return CheckupFinding("warn", _SUBJECT, message, fix)
    if sslmode not in _CHECKED:
        message = f"The connection to PostgreSQL at {host} is encrypted, but nobody checks with whom."
        return CheckupFinding("warn", _SUBJECT, message, fix)
    return ok(_SUBJECT, f"The connection to PostgreSQL at {host} is encrypted, and its certificate is checked.")


def _is_here(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
