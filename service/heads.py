"""The head of a request: checked against HTTP, then translated to WSGI.

ASGI scope -> check_head -> an HTTPException if two servers could read it differently
           -> environ_of -> environ (PEP 3333)
"""

import functools
import io
import sys
from typing import Any

from werkzeug.exceptions import (
    BadRequest,
    ExpectationFailed,
    HTTPVersionNotSupported,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
)
from werkzeug.exceptions import NotImplemented as UnknownCoding

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
MAX_HEADER_BYTES = 8190
MAX_ADDRESS_BYTES = 4094


def check_head(scope: Any) -> None:
    """Raise an HTTPException for a head that is too large, or that two servers could read differently."""
    headers = scope["headers"]
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_ADDRESS_BYTES:
        raise RequestURITooLarge("The address is too long.")
    sizes = [len(name) + len(value) for name, value in headers]
    if len(sizes) > MAX_HEADERS or max(sizes, default=0) > MAX_HEADER_BYTES or sum(sizes) > MAX_HEAD_BYTES:
        raise RequestHeaderFieldsTooLarge("There are too many headers, or they are too large.")
    if scope["http_version"] not in ("1.0", "1.1"):
        raise HTTPVersionNotSupported("Use HTTP/1.1 or HTTP/1.0.")
    names = [name for name, _ in headers]
    if names.count(b"host") != 1 and (scope["http_version"] == "1.1" or b"host" in names):
        raise BadRequest("A request needs exactly one Host header.")
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and (scope["http_version"] != "1.1" or b"content-length" in names):
        raise BadRequest("The length of the body is ambiguous.")
    if codings not in ([], [b"chunked"]):
        raise UnknownCoding("The only supported transfer coding is 'chunked'.")
    if any(name == b"expect" and value.strip().lower() != b"100-continue" for name, value in headers):
        raise ExpectationFailed(
            "The only supported expectation is '100-continue'. Send the request without 'Expect'."
        )


def environ_of(scope: Any) -> dict[str, Any]:
    """Return the WSGI environ (PEP 3333) of a request, without its body."""
    server, client = scope.get("server") or ("", 0), scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key = _environ_name(name)
        text = value.decode("latin-1").strip()
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


@functools.lru_cache(maxsize=256)
def _environ_name(name: bytes) -> str:
    """Return the environ's key for a header; an underscore in its name is never taken for a hyphen."""
    if b"_" in name:
        return f"digits.header.{name.decode('latin-1')}"
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
