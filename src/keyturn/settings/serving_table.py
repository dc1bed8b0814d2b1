"""The settings of how many connections one process serves."""

from keyturn.settings import values
from keyturn.settings.setting import Setting

SERVING_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "KEYTURN_MAX_WAITERS",
        "max_waiters",
        values.whole(0, 1_000_000),
        "10000",
        "Requests that wait for changes of secrets at the same time, in one process. Each needs a file descriptor (ulimit -n) and"
        " some kilobytes; further ones are answered 503.",
    ),
    Setting(
        "KEYTURN_MAX_QUIET_CONNECTIONS",
        "max_quiet_connections",
        values.whole(1, 1_000_000),
        "4096",
        "Connections of one address (of IPv6, one /64) without a request under way, in one process: of more, the oldest"
        " are ended. Raise it where very many programs come from one address. Those of KEYTURN_TRUSTED_PROXIES are not counted.",
    ),
)
