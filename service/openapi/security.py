"""The part of the API description that says which requests need the key, if one is set.

paths -> each guarded operation may also answer 401; each open one says that it needs no key
"""

from collections.abc import Container
from typing import Any

from service.api.problems import INFERENCE_PROTOCOLS

JsonObject = dict[str, Any]

SCHEMES: JsonObject = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "X-API-Key: KEY"},
}


def guard(document: JsonObject, open_routes: Container[str]) -> JsonObject:
    """Return the OpenAPI document of the same service with a key; the argument is not changed.

    open_routes: those that answer without the key, such as "/static/<name>".
    """
    paths = {
        path: {
            method: _opened(operation)
            if path.replace("{", "<").replace("}", ">") in open_routes
            else _guarded(path, operation)
            for method, operation in item.items()
        }
        for path, item in document["paths"].items()
    }
    return document | {
        "paths": paths,
        "security": [{name: []} for name in SCHEMES],
        "components": document["components"] | {"securitySchemes": SCHEMES},
    }


def _opened(operation: JsonObject) -> JsonObject:
    return operation | {"security": []}


def _guarded(path: str, operation: JsonObject) -> JsonObject:
    v2 = path == "/v2" or path.startswith(INFERENCE_PROTOCOLS)
    schema = {"$ref": f"#/components/schemas/{'V2Error' if v2 else 'Problem'}"}
    answer = {
        "description": "The request has no key, or a wrong one.",
        "headers": {
            "WWW-Authenticate": {
                "description": "Names the scheme.",
                "required": True,
                "schema": {"type": "string"},
            }
        },
        "content": {"application/json" if v2 else "application/problem+json": {"schema": schema}},
    }
    responses = dict(sorted((operation["responses"] | {"401": answer}).items()))
    return operation | {"responses": responses}
