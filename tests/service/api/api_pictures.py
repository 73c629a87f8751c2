"""What schemathesis sends: real pictures, broken ones and noise; models that exist and tensors that fit.

Loaded by the command that tests/service/api/test_openapi.py runs. A schema cannot say what an image file
is, nor that a tensor's shape goes with its data.
"""

import base64
from typing import Any

import schemathesis
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import service.preprocessing
from service.openapi.v2 import v2_schemas
from tests.drawing import draw_digit, encode

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
PICTURES = [encode(draw_digit(digit, size=(40, 40)), format) for digit, format in enumerate(FORMATS)]
BLANK = encode(draw_digit(1, size=(20, 20), ink=255))
SPOILT = [PICTURES[0][:-20], PICTURES[1][:99], BLANK, b"<svg/>"]
INFER_REQUEST = Draft202012Validator(v2_schemas()["V2Request"])
FILES = st.sampled_from(PICTURES) | st.sampled_from(SPOILT) | st.binary(max_size=64)

schemathesis.openapi.format("binary", FILES)
for name in service.preprocessing.FORMATS:
    schemathesis.openapi.media_type(f"image/{name.lower()}", FILES)


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Ask about a model that exists every other time; random names would only ever see 404."""
    if path_parameters and len(str(path_parameters.get("name"))) % 2:
        path_parameters["name"] = "digits-8x8"
    return path_parameters


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Send a tensor or picture that fits in every other request with one; the rest stays as generated."""
    if INFER_REQUEST.is_valid(body) and len(repr(body)) % 2:
        data = [(position % 7) / 7 for position in range(64)]
        body["inputs"] = [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": data}]
    if isinstance(body, dict) and isinstance(body.get("image"), str) and len(body["image"]) % 2:
        picture = PICTURES[len(body["image"]) % len(PICTURES)]
        body["image"] = base64.b64encode(picture).decode()
    return body
