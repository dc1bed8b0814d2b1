"""Copies in memory are bounded by bytes, whatever is asked for."""

from hypothesis import given
from hypothesis import strategies as st

from keyturn.delivery.caches import BytesCache
from keyturn.delivery.domain import OTHERS
from keyturn.delivery.instances import MOST_OF_ONE, Instances
from tests.features.accounts.people import START

MOST = 100
STEPS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 60)), max_size=60)


@given(STEPS)
def test_a_cache_holds_no_more_bytes_than_it_may_and_what_was_needed_last(steps: list[tuple[int, int]]) -> None:
    cache: BytesCache[int, int] = BytesCache(MOST)
    kept: dict[int, int] = {}
    for key, size in steps:
        cache.put(key, size, size)
        kept.pop(key, None)
        if size <= MOST // 4:
            kept[key] = size
        while sum(kept.values()) > MOST:
            del kept[next(iter(kept))]
        assert cache.size == sum(kept.values()) <= MOST
    assert {key: cache.get(key) for key in range(21) if cache.get(key) is not None} == kept


def test_what_is_asked_for_stays() -> None:
    cache: BytesCache[str, str] = BytesCache(MOST)
    for key in "abcde":
        cache.put(key, key, 20)
        cache.get("a")
    cache.put("f", "f", 20)
    assert [key for key in "abcdef" if cache.get(key)] == ["a", "c", "d", "e", "f"]


def test_an_identity_has_a_thousand_instances_and_others() -> None:
    instances = Instances()
    names = {instances.name("robot", f"pod-{number}", START) for number in range(MOST_OF_ONE + 5)}
    assert (len(names), OTHERS in names) == (MOST_OF_ONE + 1, True)
    assert instances.name("another", "pod-9999", START) == "pod-9999"
    assert instances.name("robot", "pod-1", START) == "pod-1"
