"""Requests made from the published OpenAPI document: nothing breaks the server, and its answers are as documented."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from msgspec import Meta
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from keyturn.web.schema.paging import LARGEST_NUMBER
from tests.simulation.seeds import share
from tests.system.estate import RunningServer
from tests.system.test_secrets_of_requests import request_types

# Schemathesis' own client of ASGI applications leaves its streams to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
EXAMPLES = 6
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


LARGER = {"revision": "a column of large whole numbers"}


def test_no_number_of_a_request_is_more_than_the_database_compares(whole: RunningServer) -> None:
    """PostgreSQL refuses to compare a column of whole numbers with one that does not fit there."""
    without_limit = {
        f"{kind.__qualname__}.{name}"
        for kind in request_types(whole)
        for name, hint in get_type_hints(kind, include_extras=True).items()
        if name not in LARGER and any(most is None or most > LARGEST_NUMBER for most in largest_of(hint))
    }
    assert without_limit == set()


def largest_of(hint: Any, most: float | None = None) -> Iterator[float | None]:
    """Yield the largest value of each whole number in an annotation; None where there is no limit."""
    if get_origin(hint) is Annotated:
        limits = [each.le if each.lt is None else each.lt for each in hint.__metadata__ if isinstance(each, Meta)]
        yield from largest_of(get_args(hint)[0], next((limit for limit in limits if limit is not None), most))
    elif hint is int:
        yield most
    else:
        for inner in get_args(hint):
            yield from largest_of(inner)


def test_answers_are_as_documented(whole: RunningServer) -> None:
    schema = schemathesis.openapi.from_asgi("/api/docs/json", whole.application)
    faults: list[str] = []
    operations = list(schema.get_all_operations())
    assert len(operations) > 60
    for result in share(operations, 6):
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            # No worker lives beside these tests, so the probe of readiness rightly answers 503.
            checks = CHECKS[1:] if case.operation.label == "GET /readyz" else CHECKS
            case.call_and_validate(headers={"authorization": f"Bearer {whole.token}"}, checks=checks)

        try:
            ask()
        except (
            schemathesis.errors.SchemathesisError,
            schemathesis.core.failures.FailureGroup,
            AssertionError,
        ) as fault:
            parts = fault.exceptions if isinstance(fault, BaseExceptionGroup) else [fault]
            faults.append(f"{operation.label}: {' | '.join(str(part) for part in parts)}")
        whole.put_back()
    assert not faults, "\n\n".join(faults)
