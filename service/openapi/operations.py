"""The parts of an operation: its answer, and the problems it can end in, by status.

error classes -> their statuses and types -> responses
"""

from typing import Any

from service.api.problems import STATUSES, problem_type
from service.openapi.schemas import reference

JsonObject = dict[str, Any]


def operation(tag: str, name: str, summary: str, responses: JsonObject, **more: Any) -> JsonObject:
    """Return an OpenAPI operation object; `name` is its operationId."""
    return {"tags": [tag], "operationId": name, "summary": summary, **more, "responses": responses}


def ok(schema: JsonObject, description: str, media_type: str = "application/json") -> JsonObject:
    """Return the responses of a 200 with a body of this schema."""
    return {"200": {"description": description, "content": {media_type: {"schema": schema}}}}


def problems(*errors: type[Exception], plain: tuple[int, ...] = ()) -> JsonObject:
    """Return the responses for these errors by status; plain: statuses that may also be about:blank."""
    by_status: dict[int, list[type[Exception]]] = {status: [] for status in plain}
    for error in errors:
        by_status.setdefault(STATUSES[error], []).append(error)
    return {str(status): _problem(status, by_status[status], status in plain) for status in sorted(by_status)}


def _problem(status: int, errors: list[type[Exception]], plain: bool) -> JsonObject:
    types = [problem_type(error) for error in errors] + ["about:blank"] * plain
    titles = [(error.__doc__ or "").splitlines()[0] for error in errors]
    description = " ".join(titles + ["The body is larger than allowed."] * plain)
    schema = {
        "allOf": [
            reference("Problem"),
            {"properties": {"type": {"enum": types}, "status": {"const": status}}},
        ]
    }
    response: JsonObject = {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }
    if status == 503:
        response["headers"] = {
            "Retry-After": {
                "description": "Seconds to wait.",
                "required": True,
                "schema": {"type": "integer"},
            }
        }
    return response
