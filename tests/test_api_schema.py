"""The whole API, asked everything its own description allows and much that it does not: no answer is a mistake of ours."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.test_web import Desk
from worker.model import Status


@pytest.fixture(scope="module")
def desk(server, tmp_path_factory):
    found = Desk(server, tmp_path_factory.mktemp("data"))
    found.account()
    for number, status in enumerate((Status.SCHEDULED, Status.PARKED, Status.AWAITING_APPROVAL, Status.FAILED)):
        found.plan(f"Post {number}", to=status)
    return found


@pytest.fixture(scope="module")
def operations(desk):
    described = schemathesis.openapi.from_asgi("/openapi.json", desk.app)
    found = [operation.ok() for operation in described.get_all_operations()]
    return [o for o in found if o.path.startswith("/api/")]  # the signs of life say 503 when they mean it


CALM = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_no_answer_is_a_mistake_of_ours_and_each_is_as_described(desk, operations):
    headers = {"Authorization": f"Bearer {desk.token('admin')}"}
    asked = []
    for operation in operations:

        @CALM
        @given(case=operation.as_strategy())
        def check(case):
            asked.append(case.operation.label)
            case.call_and_validate(
                headers=headers,
                checks=[
                    not_a_server_error,
                    status_code_conformance,
                    content_type_conformance,
                    response_schema_conformance,
                ],
            )

        check()
    assert len(set(asked)) == len(operations) > 20
