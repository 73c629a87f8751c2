"""The schemas of the service's answers, for its API description.

-> schemas for service.openapi.document
"""

from typing import Any

from service.api.problems import problem_type
from service.budget import NoMemoryError
from service.model.classifier import REASONS
from service.preprocessing import (
    BlankImageError,
    BrokenImageError,
    EmptyImageError,
    TooManyPixelsError,
    UnsupportedFormatError,
)

JsonObject = dict[str, Any]

IMAGE_ERRORS = (
    EmptyImageError,
    TooManyPixelsError,
    UnsupportedFormatError,
    BrokenImageError,
    BlankImageError,
    NoMemoryError,
)


def reference(name: str) -> JsonObject:
    """Return a reference to a schema among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: JsonObject, optional: tuple[str, ...] = (), **more: Any) -> JsonObject:
    return {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
        "properties": properties,
        **more,
    }


def schemas() -> JsonObject:
    """Return the schemas of everything except /v2, by name."""
    digit = {"type": "integer", "minimum": 0, "maximum": 9}
    share = {"type": "number", "minimum": 0, "maximum": 1}
    count = {"type": "integer", "minimum": 1}
    png = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}
    return {
        "Prediction": _object(
            {
                "digit": digit | {"description": "The most likely digit."},
                "confidence": share | {"description": "Its probability, calibrated."},
                "probabilities": {
                    "type": "array",
                    "items": share,
                    "minItems": 10,
                    "maxItems": 10,
                    "description": "Index = digit; they sum to 1.",
                },
                "accepted": {
                    "type": "boolean",
                    "description": "False if the picture does not look like a digit. Do not act on `digit` "
                    "then.",
                },
                "reason": {
                    "type": "string",
                    "enum": list(REASONS),
                    "description": "Why it is not accepted; missing if it is.",
                },
                "model": reference("AnsweringModel"),
                "explanation": reference("Explanation"),
            },
            optional=("reason", "explanation"),
        ),
        "AnsweringModel": _object({"name": {"type": "string"}, "version": reference("Version")}),
        "Explanation": _object(
            {
                "picture": png | {"description": "What the network saw, ink white."},
                "saliency": png
                | {
                    "description": "What decided the answer, as large as `picture`: the gradient of the "
                    "answer's lead over the runner-up, times the ink. Orange supports the answer, blue the "
                    "runner-up; the squared opacity is the share."
                },
                "runner_up": digit | {"description": "The second most likely digit, or that of `against`."},
                "novelty": {
                    "type": "number",
                    "description": "Above 1: the picture does not look like a digit, so it is not accepted.",
                },
                "steps": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "What was done to the image to get `picture`, in order.",
                },
                "layers": {
                    "type": "array",
                    "items": reference("HiddenLayer"),
                    "description": "With `explain=layers`: the hidden layers, first to last.",
                },
                "change": {
                    "anyOf": [reference("Change"), {"type": "null"}],
                    "description": "With `against`, if that is another digit: a small change that would make "
                    "it the answer; null if none was found.",
                },
            },
            optional=("layers", "change"),
        ),
        "Change": _object(
            {
                "picture": png
                | {
                    "description": "Orange for ink to add, blue for ink to remove; the opacity says how much."
                },
                "ink": {
                    "type": "number",
                    "minimum": 0,
                    "description": "How much ink that is, as a share of all ink.",
                },
            }
        ),
        "HiddenLayer": _object(
            {
                "units": count,
                "activation": {"type": "string"},
                "values": {
                    "type": "string",
                    "contentEncoding": "base64",
                    "description": "A byte for each unit: its activation is byte / 255 * `largest`.",
                },
                "largest": {"type": "number"},
            }
        ),
        "Batch": _object(
            {
                "predictions": {
                    "type": "array",
                    "items": {
                        "anyOf": [reference("Prediction"), _object({"error": reference("ImageProblem")})]
                    },
                }
            }
        ),
        "Models": _object(
            {
                "default": {"type": "string"},
                "explain": {"type": "array", "items": {"type": "string"}},
                "models": {"type": "array", "items": reference("Model")},
            }
        ),
        "Model": _object(
            {
                "name": {"type": "string"},
                "version": reference("Version"),
                "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Of the file."},
                "input": _object({"height": count, "width": count}),
                "layers": {
                    "type": "array",
                    "items": _object({"inputs": count, "outputs": count, "activation": {"type": "string"}}),
                },
                "parameters": count | {"description": "Number of weights and biases."},
                "trained_on": _object(
                    {"dataset": {"type": ["string", "null"]}, "date": {"type": ["string", "null"]}}
                ),
                "metrics": {"type": "object", "description": "Measured once, on test images."},
            }
        ),
        "Version": {
            "type": "string",
            "pattern": "^[0-9a-f]{12}$",
            "description": "The first 12 hex digits of the model file's SHA-256.",
        },
        "Problem": _object(
            {
                "type": {"type": "string", "format": "uri-reference", "description": "Names the problem."},
                "title": {"type": "string", "description": "The same for all problems of this type."},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string", "description": "What to fix in this request."},
                "request_id": {"type": ["string", "null"], "description": "The same as in the log line."},
            }
        ),
        "ImageProblem": _object(
            {
                "type": {"enum": [problem_type(error) for error in IMAGE_ERRORS]},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
            }
        ),
    }
