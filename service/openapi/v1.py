"""The part of the API description that covers KServe's V1 protocol under /v1.

-> paths and schemas for service.openapi.document
"""

from service.openapi.operations import JsonObject
from service.openapi.schemas import reference
from service.openapi.v2 import ERRORS, response

TAG = "KServe V1"
_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The model.",
    "schema": {"type": "string", "minLength": 1},
    "example": "digits-8x8",
}
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/V1Request"},
            "example": {"instances": [[0.5] * 64]},
        }
    },
}


def v1_paths() -> JsonObject:
    """Return the path items of /v1."""
    return {
        "/v1/models": {"get": _operation("v1Models", "The models' names", "V1Models")},
        "/v1/models/{name}": {
            "get": _operation("v1Model", "Check that the model is loaded", "V2ModelReady", 404, 503)
            | {"parameters": [_NAME]}
        },
        "/v1/models/{name}:predict": {
            "post": _operation(
                "v1Predict", "Classify images or pixels", "V1Response", 400, 404, 413, 415, 422, 503
            )
            | {"parameters": [_NAME], "requestBody": _BODY}
        },
    }


def _operation(name: str, summary: str, schema: str, *errors: int) -> JsonObject:
    responses = {"200": response("The answer.", schema)}
    responses |= {str(status): response(ERRORS[status], "V2Error") for status in errors}
    return {"tags": [TAG], "operationId": name, "summary": summary, "responses": responses}


def v1_schemas() -> JsonObject:
    """Return the schemas of /v1."""
    text = {"type": "string"}
    base64 = {"type": "object", "required": ["b64"], "properties": {"b64": text}}
    pixels = {"type": "array", "items": {}}
    instance = {"anyOf": [text, base64, pixels, {"type": "object"}]}
    prediction = reference("Prediction")
    return {
        "V1Models": {
            "type": "object",
            "required": ["models"],
            "properties": {"models": {"type": "array", "items": text}},
        },
        "V1Request": {
            "type": "object",
            "required": ["instances"],
            "properties": {
                "instances": {
                    "type": "array",
                    "minItems": 1,
                    "items": instance,
                    "description": 'Image files, as base64 or as {"b64": base64}; or the pixels of each '
                    "image, flat or nested in rows, prepared as the network expects them. Either may be "
                    "wrapped in an object under its name, `image`, `image_bytes` or `pixels`.",
                }
            },
        },
        "V1Response": {
            "type": "object",
            "required": ["predictions"],
            "properties": {"predictions": {"type": "array", "items": prediction}},
        },
    }
