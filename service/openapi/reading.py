"""The path that reads whole pages, for service.openapi.document."""

from service.openapi.operations import JsonObject, ok, operation
from service.openapi.predictions import IMAGE_BODY_PROBLEMS, MODEL_PARAMETER, image_body
from service.openapi.schemas import reference
from service.reading import MOST_DIGITS


def reading_paths() -> JsonObject:
    """Return the path of `/read`."""
    read = operation(
        "Predictions",
        "read",
        "Read all digits of one image",
        ok(reference("Reading"), "The digits in reading order; none if nothing looks like a digit.")
        | IMAGE_BODY_PROBLEMS,
        description=(
            "A number, a date, a meter or a whole page: the digits are found, put in order and read one by "
            "one, even where they touch. Ruled lines, punctuation and letters are left out."
        ),
        parameters=[MODEL_PARAMETER],
        requestBody=image_body(),
    )
    return {"/read": {"post": read}}


def reading_schemas() -> JsonObject:
    """Return the schemas of `/read`, by name."""
    digit = {
        "type": "object",
        "required": ["digit", "confidence", "accepted", "box"],
        "additionalProperties": False,
        "properties": {
            "digit": {"type": "integer", "minimum": 0, "maximum": 9, "description": "The most likely digit."},
            "confidence": {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "description": "Its probability, calibrated.",
            },
            "accepted": {
                "type": "boolean",
                "description": "False if it does not look like a digit. It is then not part of `text`.",
            },
            "box": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0},
                "minItems": 4,
                "maxItems": 4,
                "description": "Left, top, width and height in pixels of the image as sent, upright.",
            },
        },
    }
    reading = {
        "type": "object",
        "required": ["text", "lines", "digits", "model"],
        "additionalProperties": False,
        "properties": {
            "text": {"type": "string", "description": "The accepted digits; a line break separates rows."},
            "lines": {
                "type": "array",
                "items": {"type": "string", "pattern": "^[0-9]+$"},
                "description": "The accepted digits of each row, from top to bottom.",
            },
            "digits": {
                "type": "array",
                "items": reference("ReadDigit"),
                "maxItems": MOST_DIGITS,
                "description": "Everything that may be a digit, row by row from left to right.",
            },
            "model": reference("AnsweringModel"),
        },
    }
    return {"Reading": reading, "ReadDigit": digit}
