"""The description of the whole HTTP interface, OpenAPI 3.1.

    routes, statuses, problem types (all from the code) -> one JSON document -> GET /openapi.json

Written by hand where words matter; what can be taken from the code is, and tests/service/api/test_openapi.py
compares the rest with it and with the running service.
"""

import json
from typing import Any

from flask import Blueprint, Response, current_app

from service import __version__
from service.api.auth import key_of, open_routes
from service.api.problems import (
    STATUSES,
    BrokenBodyError,
    InvalidParameterError,
    MissingImageError,
    OverloadedError,
    TooManyImagesError,
    UnsupportedContentTypeError,
    UnsupportedEncodingError,
    problem_type,
)
from service.config import Settings
from service.openapi.schemas import IMAGE_ERRORS, reference, schemas
from service.openapi.security import guard
from service.openapi.v2 import v2_paths, v2_schemas
from service.preprocessing import FORMATS
from service.registry import NoModelError, UnknownModelError

JsonObject = dict[str, Any]

MODEL_ERRORS = (UnknownModelError, NoModelError)
BODY_TOO_LARGE = 413  # has only a status and no type, like 404 for a path and 405


def create_openapi(settings: Settings) -> Blueprint:
    """Return the route of the description."""
    openapi = Blueprint("openapi", __name__)
    document = json.dumps(describe_service(settings), ensure_ascii=False)

    @openapi.get("/openapi.json")
    def show_openapi() -> Response:
        return current_app.response_class(document, content_type="application/json")

    return openapi


def describe_service(settings: Settings) -> JsonObject:
    """Return the OpenAPI document of a service with these settings, with a key if they name one."""
    document = describe_api(settings)
    return guard(document, open_routes(settings)) if key_of(settings) else document


def describe_api(settings: Settings) -> JsonObject:
    """Return the OpenAPI document of a service without a key, with the limits of `settings`."""
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Handwritten digits",
            "version": __version__,
            "summary": "One picture of a handwritten digit in, the digit and how sure that is out.",
            "description": (
                "Every error is `application/problem+json` (RFC 9457), except under `/v2`, where it has the "
                f"form of that protocol. A body may have {settings.max_upload_bytes:,} bytes, an image "
                f"{settings.max_image_pixels:,} pixels, a batch {settings.max_batch_images:,} images. Every "
                "answer has the header `X-Request-Id`: the client's own, if it sent one, else a new one."
            ),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "Predictions", "description": "Pictures in, digits out."},
            {"name": "Models", "description": "What is loaded."},
            {"name": "Operation", "description": "For Kubernetes and Prometheus."},
            {"name": "Open Inference Protocol", "description": "KServe V2 REST: its clients work unchanged."},
            {"name": "Pages", "description": "For people, and this description."},
        ],
        "paths": {
            **_prediction_paths(settings),
            **_model_paths(),
            **_operation_paths(),
            **v2_paths(),
            **_page_paths(),
        },
        "components": {"schemas": {**schemas(), **v2_schemas()}},
    }


def operation(tag: str, name: str, summary: str, responses: JsonObject, **more: Any) -> JsonObject:
    """Return an operation object; `name` is its operationId."""
    return {"tags": [tag], "operationId": name, "summary": summary, **more, "responses": responses}


def ok(schema: JsonObject, description: str, media_type: str = "application/json") -> JsonObject:
    """Return the responses of a 200 with a body of this schema."""
    return {"200": {"description": description, "content": {media_type: {"schema": schema}}}}


def problems(*errors: type[Exception], plain: tuple[int, ...] = ()) -> JsonObject:
    """Return the responses for these errors by status; plain: statuses that come as about:blank too."""
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


_MODEL_PARAMETER = {
    "name": "model",
    "in": "query",
    "description": "The model that answers; without it, the default one.",
    "schema": {"type": "string"},
    "example": "digits-8x8",
}
_EXPLAIN_PARAMETER = {
    "name": "explain",
    "in": "query",
    "description": (
        "Whether to add `explanation` to the answer: true, 1 or yes; false, 0 or no; or layers, which adds "
        "how active each hidden unit is. In any case."
    ),
    "schema": {
        "type": "string",
        "pattern": (
            "^([Tt][Rr][Uu][Ee]|1|[Yy][Ee][Ss]|[Ff][Aa][Ll][Ss][Ee]|0|[Nn][Oo]|[Ll][Aa][Yy][Ee][Rr][Ss])$"
        ),
        "default": "false",
    },
    "example": "true",
}

# The content of a part is the bytes of an image, with a file name or without.
_FILE_PART: JsonObject = {
    "anyOf": [{"type": "string", "format": "binary"}, {}],
    "description": "The bytes of an image file; a file name is not required.",
}


def _prediction_paths(settings: Settings) -> JsonObject:
    raw = {
        f"image/{format.lower()}": {"schema": {"type": "string", "format": "binary"}} for format in FORMATS
    }
    one_file = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": _FILE_PART},
    }
    json_body = {
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": {
                "type": "string",
                "contentEncoding": "base64",
                "description": "An image file in base64, or as a data URL.",
            }
        },
    }
    many_files = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {
                "anyOf": [{"type": "array", "items": _FILE_PART, "minItems": 1}, _FILE_PART],
                "description": f"At most {settings.max_batch_images:,} image files, all parts called so.",
            }
        },
    }
    one = operation(
        "Predictions",
        "predict",
        "Classify one image",
        ok(reference("Prediction"), "The digit, the ten probabilities, and whether it is one at all.")
        | problems(
            MissingImageError,
            BrokenBodyError,
            InvalidParameterError,
            UnsupportedContentTypeError,
            UnsupportedEncodingError,
            *IMAGE_ERRORS,
            *MODEL_ERRORS,
            OverloadedError,
            plain=(BODY_TOO_LARGE,),
        ),
        description=(
            "Dark on light or light on dark, drawn or photographed, of any size. "
            "The body may be compressed: `Content-Encoding: gzip` or `deflate`."
        ),
        parameters=[_MODEL_PARAMETER, _EXPLAIN_PARAMETER],
        requestBody={
            "required": True,
            "content": {
                "multipart/form-data": {"schema": one_file},
                "application/json": {"schema": json_body},
                **raw,
            },
        },
    )
    many = operation(
        "Predictions",
        "predictBatch",
        "Classify many images",
        ok(reference("Batch"), "An answer for each image in the order sent; an error where one has none.")
        | problems(
            MissingImageError,
            BrokenBodyError,
            InvalidParameterError,
            TooManyImagesError,
            UnsupportedEncodingError,
            *MODEL_ERRORS,
            OverloadedError,
            plain=(BODY_TOO_LARGE,),
        ),
        parameters=[_MODEL_PARAMETER, _EXPLAIN_PARAMETER],
        requestBody={"required": True, "content": {"multipart/form-data": {"schema": many_files}}},
    )
    return {"/predict": {"post": one}, "/predict/batch": {"post": many}}


def _model_paths() -> JsonObject:
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
        "example": "digits-8x8",
    }
    return {
        "/models": {
            "get": operation(
                "Models", "listModels", "List the models", ok(reference("Models"), "All models.")
            )
        },
        "/models/{name}": {
            "get": operation(
                "Models",
                "showModel",
                "Describe one model",
                ok(reference("Model"), "The model.") | problems(*MODEL_ERRORS, plain=(404,)),
                parameters=[name],
            )
        },
        "/models/{name}/units/{layer}/{unit}": {
            "get": operation(
                "Models",
                "showUnit",
                "Show what a hidden unit looks for",
                ok(
                    {"type": "string", "format": "binary"},
                    "A picture as large as the model's input: orange excites the unit, blue inhibits it.",
                    "image/png",
                )
                | problems(*MODEL_ERRORS, plain=(404,)),
                parameters=[name, _position("layer", "From 1.", 1), _position("unit", "From 0.", 0)],
            )
        },
    }


def _position(name: str, description: str, least: int) -> JsonObject:
    schema = {"type": "integer", "minimum": least}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        "example": 1,
    }


def _operation_paths() -> JsonObject:
    def status(value: str) -> JsonObject:
        return {
            "type": "object",
            "required": ["status"],
            "additionalProperties": False,
            "properties": {"status": {"const": value}},
        }

    metrics = ok({"type": "string"}, "The text exposition format of Prometheus.", "text/plain")
    return {
        "/livez": {
            "get": operation(
                "Operation", "livez", "Check that the process answers", ok(status("alive"), "It answers.")
            )
        },
        "/readyz": {
            "get": operation(
                "Operation",
                "readyz",
                "Check that it can answer predictions",
                ok(status("ready"), "The default model is loaded.") | problems(NoModelError),
            )
        },
        "/metrics": {"get": operation("Operation", "metrics", "Metrics of all worker processes", metrics)},
    }


def _page_paths() -> JsonObject:
    html = {"type": "string"}
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
        "example": "page.js",
    }
    file = {"description": "The file.", "content": {"*/*": {"schema": {}}}}
    document = ok({"type": "object"}, "This document.")
    return {
        "/": {"get": operation("Pages", "page", "Draw a digit", ok(html, "The page.", "text/html"))},
        "/docs": {
            "get": operation(
                "Pages", "docs", "Show this description in a browser", ok(html, "The page.", "text/html")
            )
        },
        "/openapi.json": {"get": operation("Pages", "openapi", "This description", document)},
        "/static/{name}": {
            "get": operation(
                "Pages",
                "static",
                "The pages' files",
                {"200": file} | problems(plain=(404,)),
                parameters=[name],
            )
        },
    }
