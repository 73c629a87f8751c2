"""The paths that answer with predictions, for service.openapi.document."""

from service.api.problems import (
    BrokenBodyError,
    InvalidParameterError,
    MissingImageError,
    OverloadedError,
    TooManyImagesError,
    UnsupportedContentTypeError,
    UnsupportedEncodingError,
)
from service.config import Settings
from service.openapi.operations import JsonObject, ok, operation, problems
from service.openapi.schemas import IMAGE_ERRORS, reference
from service.preprocessing import FORMATS
from service.registry import NoModelError, UnknownModelError

MODEL_ERRORS = (UnknownModelError, NoModelError)
BODY_TOO_LARGE = 413  # has only a status and no type, like 404 for a path and 405

MODEL_PARAMETER = {
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
        "Whether to add `explanation` to the answer: true, 1 or yes; false, 0 or no; or layers, which also "
        "adds how active each hidden unit is. Upper or lower case."
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

_AGAINST_PARAMETER = {
    "name": "against",
    "in": "query",
    "description": (
        "With `explain`: compare the answer with this digit instead of the runner-up, and add a small "
        "change of the picture that would make this digit the answer."
    ),
    "schema": {"type": "integer", "minimum": 0, "maximum": 9},
    "example": 9,
}

# The content of a part is the bytes of an image, with a file name or without.
_FILE_PART: JsonObject = {
    "anyOf": [{"type": "string", "format": "binary"}, {}],
    "description": "The bytes of an image file; a file name is not required.",
}


IMAGE_BODY_PROBLEMS = problems(
    MissingImageError,
    BrokenBodyError,
    InvalidParameterError,
    UnsupportedContentTypeError,
    UnsupportedEncodingError,
    *IMAGE_ERRORS,
    *MODEL_ERRORS,
    OverloadedError,
    plain=(BODY_TOO_LARGE,),
)


def image_body() -> JsonObject:
    """Return the request body of a route that takes one image."""
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
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": one_file},
            "application/json": {"schema": json_body},
            **raw,
        },
    }


def prediction_paths(settings: Settings) -> JsonObject:
    """Return the paths of `/predict`, with the limits of `settings`."""
    many_files = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {
                "anyOf": [{"type": "array", "items": _FILE_PART, "minItems": 1}, _FILE_PART],
                "description": f"At most {settings.max_batch_images:,} image files, each in a part `file`.",
            }
        },
    }
    one = operation(
        "Predictions",
        "predict",
        "Classify one image",
        ok(reference("Prediction"), "The digit, ten probabilities, and whether the picture shows a digit.")
        | IMAGE_BODY_PROBLEMS,
        description=(
            "Dark on light or light on dark, drawn or photographed, of any size. "
            "The body may be compressed: `Content-Encoding: gzip` or `deflate`."
        ),
        parameters=[MODEL_PARAMETER, _EXPLAIN_PARAMETER, _AGAINST_PARAMETER],
        requestBody=image_body(),
    )
    many = operation(
        "Predictions",
        "predictBatch",
        "Classify many images",
        ok(reference("Batch"), "An answer for each image in the order sent, or an error in its place.")
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
        parameters=[MODEL_PARAMETER, _EXPLAIN_PARAMETER],
        requestBody={"required": True, "content": {"multipart/form-data": {"schema": many_files}}},
    )
    return {"/predict": {"post": one}, "/predict/batch": {"post": many}}
