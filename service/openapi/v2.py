"""The part of the API description that covers the Open Inference Protocol under /v2.

-> paths and schemas for service.openapi.document
"""

from typing import Any

JsonObject = dict[str, Any]

TAG = "Open Inference Protocol"


def v2_paths() -> JsonObject:
    """Return the path items of /v2."""
    name = _path_parameter("name", "The model.")
    version = _path_parameter("version", "Its version, 12 hex digits.")
    paths: JsonObject = {
        "/v2": _get("v2Server", "The server's name and extensions", "V2Server"),
        "/v2/": _get("v2ServerSlash", "The same", "V2Server"),
        "/v2/health/live": _get("v2Live", "Check that the process answers", "V2Live"),
        "/v2/health/ready": _get("v2Ready", "Check that it can answer predictions", "V2Ready", (503,)),
        "/v2/models": _get("v2Models", "The models' names", "V2Models"),
        "/v2/repository/index": {
            "post": _operation("v2Index", "The models with their states", "V2Index", ())
        },
    }
    for suffix, parameters, word in (("", [name], ""), ("/versions/{version}", [name, version], "Version")):
        path = f"/v2/models/{{name}}{suffix}"
        known = (404, 503)
        paths[path] = _get(f"v2Model{word}", "The model's tensors", "V2Model", known, parameters)
        paths[f"{path}/ready"] = _get(
            f"v2Model{word}Ready", "Check that the model is loaded", "V2ModelReady", known, parameters
        )
        infer = _operation(
            f"v2Infer{word}",
            "Classify tensors",
            "V2Response",
            (400, 404, 413, 415, 422, 503),
            [*parameters, _HEADER_LENGTH],
        )
        infer["requestBody"] = _INFER_BODY
        infer["responses"]["200"]["content"]["application/octet-stream"] = {
            "schema": {"type": "string", "format": "binary"}
        }
        infer["responses"]["200"]["headers"] = {
            "Inference-Header-Content-Length": {
                "description": "The length of the JSON part, if raw tensors follow it.",
                "schema": {"type": "integer"},
            }
        }
        paths[f"{path}/infer"] = {"post": infer}
    return paths


_HEADER_LENGTH = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "The length in bytes of the JSON part, if raw tensors follow it.",
    "schema": {"type": "integer", "minimum": 1},
}
_INFER_BODY = {
    "required": True,
    "description": "JSON; with the header Inference-Header-Content-Length, JSON and then raw tensors.",
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/V2Request"},
            "example": {
                "inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": [0.5] * 64}],
                "outputs": [{"name": "digit"}],
            },
        },
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}
ERRORS = {
    400: "The request does not follow the protocol.",
    404: "There is no such path, model or version.",
    413: "The body, an image or the number of images is too large.",
    415: "The format of an image, or the encoding of the body, is not supported.",
    422: "An image is broken or blank.",
    503: "No model is loaded, or the process is shutting down.",
}


def _path_parameter(name: str, description: str) -> JsonObject:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "minLength": 1},
    } | ({"example": "digits-8x8"} if name == "name" else {})


def _get(
    name: str,
    summary: str,
    schema: str,
    errors: tuple[int, ...] = (),
    parameters: list[JsonObject] | None = None,
) -> JsonObject:
    return {"get": _operation(name, summary, schema, errors, parameters)}


def _operation(
    name: str, summary: str, schema: str, errors: tuple[int, ...], parameters: list[JsonObject] | None = None
) -> JsonObject:
    responses = {"200": response("The answer.", schema)}
    responses |= {str(status): response(ERRORS[status], "V2Error") for status in errors}
    operation: JsonObject = {"tags": [TAG], "operationId": name, "summary": summary, "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    return operation


def response(description: str, schema: str) -> JsonObject:
    """Return a response with a body of this schema."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _object(properties: JsonObject, optional: tuple[str, ...] = ()) -> JsonObject:
    return {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "properties": properties,
    }


def v2_schemas() -> JsonObject:
    """Return the schemas of /v2."""
    text = {"type": "string"}
    texts = {"type": "array", "items": text}
    true = {"const": True}
    length = {"type": "integer", "minimum": 0}
    shape = {"type": "array", "items": length, "minItems": 1, "maxItems": 8}
    described = _object(
        {
            "name": text,
            "datatype": text,
            "shape": {"type": "array", "items": {"type": "integer", "minimum": -1}},
        }
    )
    return {
        "V2Error": _object({"error": text}) | {"additionalProperties": False},
        "V2Server": _object({"name": text, "version": text, "extensions": texts}),
        "V2Live": _object({"live": true}),
        "V2Ready": _object({"live": true, "ready": true}),
        "V2Models": _object({"models": texts}),
        "V2ModelReady": _object({"name": text, "ready": true}),
        "V2Index": {
            "type": "array",
            "items": _object({"name": text, "version": text, "state": {"const": "READY"}, "reason": text}),
        },
        "V2Model": _object(
            {
                "name": text,
                "versions": texts,
                "platform": text,
                "inputs": {"type": "array", "items": described},
                "outputs": {"type": "array", "items": described},
            }
        ),
        "V2Request": _object(
            {
                "id": text,
                "parameters": {"type": "object", "properties": {"binary_data_output": {"type": "boolean"}}},
                "inputs": {"type": "array", "items": _input(shape, length), "minItems": 1, "maxItems": 1},
                "outputs": {"type": "array", "items": _output()},
            },
            optional=("id", "parameters", "outputs"),
        ),
        "V2Response": _object(
            {
                "model_name": text,
                "model_version": text,
                "id": text,
                "outputs": {
                    "type": "array",
                    "items": _object(
                        {
                            "name": {"enum": ["digit", "probabilities", "accepted"]},
                            "datatype": {"enum": ["INT64", "FP32", "BOOL", "BYTES"]},
                            "shape": shape,
                            "data": {"type": "array"},
                            "parameters": _object({"binary_data_size": length}),
                        },
                        optional=("data", "parameters"),
                    ),
                },
            },
            optional=("id",),
        ),
    }


def _input(shape: JsonObject, length: JsonObject) -> JsonObject:
    return _object(
        {
            "name": {
                "enum": ["pixels", "image"],
                "description": "`pixels`: FP32, [n, side x side] or [n, side, side], prepared as the network "
                "expects it. `image`: BYTES, [n], image files as for POST /predict, in JSON as base64.",
            },
            "shape": shape,
            "datatype": {"enum": ["FP32", "BYTES"]},
            "parameters": {"type": "object", "properties": {"binary_data_size": length}},
            "data": {"type": "array", "description": "Row by row, flat or nested."},
        },
        optional=("parameters", "data"),
    )


def _output() -> JsonObject:
    parameters = {"binary_data": {"type": "boolean"}, "classification": {"type": "integer", "minimum": 0}}
    return _object(
        {
            "name": {"enum": ["digit", "probabilities", "accepted"]},
            "parameters": {"type": "object", "properties": parameters},
        },
        optional=("parameters",),
    )
