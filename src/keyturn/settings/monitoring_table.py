"""The settings of monitoring: part of the table, see :mod:`keyturn.settings.table`."""

from keyturn.settings import values
from keyturn.settings.setting import Setting

MONITORING_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "KEYTURN_HEALTH_PORT",
        "health_port",
        values.whole(0, 65535),
        "8081",
        "Port of a second listener that answers only /healthz, /readyz and /metrics, also while the first one is full. Whoever"
        " reaches it is answered, unless KEYTURN_METRICS_TOKEN is set. A process of keyturn worker listens there, too.",
        default="none",
    ),
    Setting(
        "KEYTURN_HEALTH_HOST",
        "health_host",
        values.host,
        "127.0.0.1",
        "Address of that listener.",
        default="HOST",
    ),
    Setting(
        "KEYTURN_METRICS_TOKEN",
        "metrics_token",
        values.bearer_token,
        "what-openssl-rand-hex-32-prints",
        "What is to be sent as Authorization: Bearer to see /metrics, on every listener. Without it only the listener of"
        " KEYTURN_HEALTH_PORT shows metrics.",
        secret=True,
    ),
    Setting(
        "KEYTURN_METRICS_NAMES",
        "metrics_names",
        values.switch,
        "true",
        "Whether /metrics tells the names that people gave to connections and rotations, not only their ids.",
        default="false",
    ),
    Setting(
        "KEYTURN_OTLP_ENDPOINT",
        "otlp_endpoint",
        values.origin,
        "http://127.0.0.1:4318",
        "Collector of OpenTelemetry to which traces are sent, over HTTP. Needs the extra traces: pip install"
        " 'keyturn[server,traces]'.",
        default="none",
    ),
)
