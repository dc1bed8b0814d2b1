"""Requests made from the published OpenAPI document: nothing breaks the server, and its answers are as documented."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.simulation.seeds import share
from tests.system.estate import RunningServer

# Schemathesis' own client of ASGI applications leaves its streams to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
EXAMPLES = 6
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


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
