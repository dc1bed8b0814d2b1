"""A server that is watched: its two applications, as a proxy and as a monitoring see them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from keyturn.app.core import Core, open_core
from keyturn.settings.reader import read_settings

TOKEN = "a-token-of-the-monitoring"
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@contextmanager
def core_of(folder: Path, **variables: str) -> Iterator[Core]:
    core = open_core(read_settings({"KEYTURN_DATA_DIR": str(folder), **variables}), lambda _sentence: None)
    try:
        yield core
    finally:
        core.close()


def series(text: str) -> Series:
    """Return all samples of a scrape, by name and labels."""
    families = text_string_to_metric_families(text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value for each in families for sample in each.samples
    }


def value(text: str, name: str, **labels: str) -> float | None:
    """Return one sample of a scrape, None when it is not there."""
    return series(text).get((name, frozenset(labels.items())))
