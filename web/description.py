"""The description of the API: what FastAPI writes by itself, with every refusal as the problem details that it is."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from web.api import Problem
from web.problems import KIND
from web.replay import PARAMETER

REFUSED = {"content": {KIND: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
INPUT = "What was sent is not what this description asks for; errors say where."
UNUSED = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI) -> dict[str, Any]:
    """The description, written once and kept."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        for path, methods in made["paths"].items():
            for method, operation in methods.items():
                _refusals(operation["responses"])
                if method == "post" and path.startswith("/api/"):
                    operation.setdefault("parameters", []).append(PARAMETER)
        shapes = made["components"]["schemas"]
        shapes["Problem"] = Problem.model_json_schema()
        for name in UNUSED:
            shapes.pop(name, None)
        app.openapi_schema = made
    return app.openapi_schema


def _refusals(responses: dict[str, Any]) -> None:
    """Every refusal in one shape; what may be asked wrongly may be refused for it."""
    responses.setdefault("422", {"description": INPUT})["description"] = INPUT
    for code, response in responses.items():
        if code[0] in "45":
            response.update(REFUSED)
