"""The three uploads of the benchmark, drawn, and the bodies that carry them.

a digit -> 28x28 PNG | 600x600 JPEG | 12-megapixel JPEG -> form or raw body -> script for wrk
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.drawing import draw_digit, encode

BOUNDARY = "digits-benchmark"


def photograph(width: int, height: int) -> bytes:
    """Return a color JPEG with the noise of a camera, which is what makes photographs large."""
    page = draw_digit(7, (width, height), ink=(30, 30, 60), paper=(205, 200, 190), mode="RGB")
    noise = np.random.default_rng(0).normal(0, 4, (height, width, 1)).astype(np.float32)
    noisy = np.clip(np.asarray(page, np.float32) + noise, 0, 255).astype(np.uint8)
    return encode(Image.fromarray(noisy), "JPEG", quality=87)


def pictures() -> dict[str, bytes]:
    """Return the uploads by the name that the tables show."""
    return {
        "28x28 PNG": encode(draw_digit(7, (280, 280)).reduce(10)),
        "600x600 JPEG": photograph(600, 600),
        "12 MP JPEG": photograph(4000, 3000),
    }


class Body(NamedTuple):
    """What a request carries."""

    content_type: str
    content: bytes


def form(*images: bytes) -> Body:
    """Return a multipart body with each image as a part `file`."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="digit"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    parts = b"\r\n".join(head + image for image in images)
    return Body(f"multipart/form-data; boundary={BOUNDARY}", parts + f"\r\n--{BOUNDARY}--\r\n".encode())


def raw(image: bytes) -> Body:
    """Return a body that is the image."""
    return Body("image/png" if image.startswith(b"\x89PNG") else "image/jpeg", image)


def write_script(path: Path, body: Body, headers: Mapping[str, str] = {}) -> Path:
    """Write the Lua script that has wrk post a body; return its path."""
    content = path.with_suffix(".body")
    content.write_bytes(body.content)
    lines = [
        'wrk.method = "POST"',
        *(
            f'wrk.headers["{key}"] = "{value}"'
            for key, value in {"Content-Type": body.content_type, **headers}.items()
        ),
        f'wrk.body = io.open("{content}", "rb"):read("*a")',
    ]
    path.write_text("\n".join(lines) + "\n")
    return path
