"""Where traces of a process go."""

from keyturn.errors import Misconfigured
from keyturn.settings.model import Settings
from keyturn.telemetry.tracing import NO_TRACES, Tracer


def open_tracer(settings: Settings, process_id: str) -> Tracer:
    """Return what makes spans; without an endpoint one that makes none. Raises Misconfigured without the packages for it."""
    if settings.otlp_endpoint is None:
        return NO_TRACES
    try:
        from keyturn.telemetry.otlp import OtlpTracer, exporter_to  # noqa: PLC0415 - only for processes that send traces

        exporter = exporter_to(settings.otlp_endpoint)
    except ImportError as error:
        raise Misconfigured(
            "KEYTURN_OTLP_ENDPOINT is set, but the packages that send traces are not installed.",
            code="config.traces_missing",
            fix="Install them: pip install 'keyturn[server,traces]'. Or unset KEYTURN_OTLP_ENDPOINT.",
        ) from error
    return OtlpTracer(exporter, process_id)
