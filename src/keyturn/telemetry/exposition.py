"""What a scrape gets: all metrics as text, in the form of Prometheus or of OpenMetrics."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from keyturn.kit.latest import Latest

FRESH = 1.0
"""Seconds for which one text is enough, however many scrape."""
PATIENCE = 5.0
_FORMS = ("text/plain", "application/openmetrics-text; version=1.0.0")

Exposed = tuple[bytes, str]
"""The text and its media type."""


class Exposition:
    """Writes the texts in threads of its own, one at a time of each form."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._texts = {form: self._latest(registry, form) for form in _FORMS}

    def scrape(self, accept: str) -> Exposed | None:
        """Return the metrics in the form that the header ``Accept`` asks for; None when they are not there in time."""
        form = _FORMS[1] if "application/openmetrics-text" in accept else _FORMS[0]
        return self._texts[form].value()

    @staticmethod
    def _latest(registry: CollectorRegistry, form: str) -> Latest[Exposed | None]:
        encode, media_type = choose_encoder(form)
        return Latest(lambda: (encode(registry), media_type), None, patience=PATIENCE, fresh=FRESH)
