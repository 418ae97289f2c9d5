"""Requests that a machine makes up from our own document: none is answered by a fault, each by what is documented."""

import pytest
import schemathesis
from hypothesis import given
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from peft_engine.inference.http.app import OPERATIONS
from peft_engine.inference.http.openapi import document
from tests.integration.serving.homes import BASE
from tests.integration.surface.conftest import KEY, Surface
from tests.property.strategies import examples

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
DOCUMENT = schemathesis.openapi.from_dict(document(OPERATIONS))
EXAMPLES = 10
"""Of each operation and kind; PEFTW_FUZZ multiplies them."""


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as-documented", "otherwise"])
@pytest.mark.parametrize(("method", "path"), [(operation.method, operation.path) for operation in OPERATIONS])
def test_J6_no_request_is_answered_by_a_fault(surface: Surface, method: str, path: str, mode: GenerationMode) -> None:
    @examples(EXAMPLES)
    @given(case=DOCUMENT[path][method].as_strategy(generation_mode=mode))
    def answered(case: schemathesis.Case) -> None:
        if isinstance(case.body, dict) and isinstance(case.body.get("model"), str) and len(case.body["model"]) % 2:
            # Most of what is made up asks for a model that is not there, which says little of the rest of the request.
            case.body["model"] = BASE
        case.call_and_validate(base_url=surface.root, headers=KEY, checks=CHECKS, timeout=120)

    answered()
