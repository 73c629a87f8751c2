"""The description of the whole HTTP interface, OpenAPI 3.1.

    routes, statuses, problem types (all from the code) -> one JSON document -> GET /openapi.json

Descriptions are written by hand. Everything else comes from the code where possible, and
tests/service/api/test_openapi.py compares the rest with the code and with the running service.
"""

import json

from flask import Blueprint, Response, current_app, request

from service import __version__
from service.api.auth import keys_of, open_routes
from service.config import Settings
from service.openapi.operations import JsonObject, ok, operation, problems
from service.openapi.predictions import MODEL_ERRORS, prediction_paths
from service.openapi.reading import reading_paths, reading_schemas
from service.openapi.schemas import reference, schemas
from service.openapi.security import guard
from service.openapi.v1 import TAG as V1
from service.openapi.v1 import v1_paths, v1_schemas
from service.openapi.v2 import v2_paths, v2_schemas
from service.registry import NoModelError


def create_openapi(settings: Settings) -> Blueprint:
    """Return the route of the description."""
    openapi = Blueprint("openapi", __name__)
    document = describe_service(settings)
    text = json.dumps(document, ensure_ascii=False)

    @openapi.get("/openapi.json")
    def show_openapi() -> Response:
        if not request.root_path:
            return current_app.response_class(text, content_type="application/json")
        return current_app.response_class(
            json.dumps(document | {"servers": [{"url": request.root_path}]}), content_type="application/json"
        )

    return openapi


def describe_service(settings: Settings) -> JsonObject:
    """Return the OpenAPI document of a service with these settings, with the key if one is set."""
    document = describe_api(settings)
    return guard(document, open_routes(settings)) if keys_of(settings) else document


def describe_api(settings: Settings) -> JsonObject:
    """Return the OpenAPI document of a service without a key, with the limits of `settings`."""
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Handwritten digits",
            "version": __version__,
            "summary": "A picture of a handwritten digit in, the digit and its confidence out.",
            "description": (
                "Every error is `application/problem+json` (RFC 9457), except under `/v1` and `/v2`, where "
                f"it has their form. A body may have {settings.max_upload_bytes:,} bytes, an image "
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
            {"name": V1, "description": "TensorFlow Serving's protocol, as KServe speaks it."},
            {"name": "Pages", "description": "For people, and this description."},
        ],
        "paths": {
            **prediction_paths(settings),
            **reading_paths(),
            **_model_paths(),
            **_operation_paths(),
            **v1_paths(),
            **v2_paths(),
            **_page_paths(),
        },
        "components": {"schemas": {**schemas(), **reading_schemas(), **v1_schemas(), **v2_schemas()}},
    }


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
        "/problems/{name}": {
            "get": operation(
                "Pages",
                "problem",
                "Say what to do about a type of problem",
                ok(html, "The page.", "text/html") | problems(plain=(404,)),
                parameters=[name | {"example": "blank-image"}],
            )
        },
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
