"""The part of the API description that says which requests need the key, where one is set.

paths -> each guarded operation answers 401 too; each open one says that it needs nothing
"""

from typing import Any

from service.access import is_open

JsonObject = dict[str, Any]

SCHEMES: JsonObject = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "X-API-Key: KEY"},
}


def guard(document: JsonObject) -> JsonObject:
    """Return an OpenAPI document of the same service behind a key; the one given stays as it is."""
    paths = {
        path: {method: _guarded(path, operation) for method, operation in item.items()}
        for path, item in document["paths"].items()
    }
    return document | {
        "paths": paths,
        "security": [{name: []} for name in SCHEMES],
        "components": document["components"] | {"securitySchemes": SCHEMES},
    }


def _guarded(path: str, operation: JsonObject) -> JsonObject:
    if is_open(path.replace("{", "<").replace("}", ">")):
        return operation | {"security": []}
    v2 = path == "/v2" or path.startswith("/v2/")
    schema = {"$ref": f"#/components/schemas/{'V2Error' if v2 else 'Problem'}"}
    answer = {
        "description": "The request lacks the key, or has a wrong one.",
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
