"""The page for people: a few files in the image, served with strict headers.

static/* -> read once at startup -> GET /, /docs, /static/NAME, /problems/NAME

The page loads nothing from another host and runs no inline script or style, and the policy forbids both:
nothing in a picture or a model name can become code. Its only form, for browsers without JavaScript, posts to
this service.
"""

import hashlib
import mimetypes
from pathlib import Path
from typing import NamedTuple

from flask import Blueprint, Response, abort, redirect, request
from werkzeug import Response as AnyResponse

from service.api.problem_pages import problem_pages

FOLDER = Path(__file__).resolve().parent.parent / "static"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=(), usb=()",
    # Revalidated each time (304), so that a new version of the service brings a new page at once.
    "Cache-Control": "no-cache",
}


class StaticFile(NamedTuple):
    """A file of the page: its bytes, media type and entity tag."""

    content: bytes
    content_type: str
    etag: str


def create_page() -> Blueprint:
    """Return the routes of the page and of the rendered API description."""
    page = Blueprint("page", __name__)
    files = {path.name: _read(path.name, path.read_bytes()) for path in sorted(FOLDER.iterdir())}
    pages = problem_pages(FOLDER / "problem.html")
    problems = {name: _read("problem.html", content) for name, content in pages.items()}

    @page.get("/")
    def index() -> AnyResponse:
        # For a prefix without its slash, the page's relative links would be wrong.
        if not request.environ["PATH_INFO"]:
            return redirect(f"{request.root_path}/", 308)
        return _respond(files["index.html"])

    @page.get("/docs")
    def docs() -> Response:
        return _respond(files["docs.html"])

    @page.get("/static/<name>")
    def static(name: str) -> Response:
        # The relative links of an HTML file work only at its own address.
        if name not in files or name.endswith(".html"):
            abort(404)
        return _respond(files[name])

    @page.get("/problems/<name>")
    def problem(name: str) -> Response:
        if name not in problems:
            abort(404)
        return _respond(problems[name])

    return page


def _read(name: str, content: bytes) -> StaticFile:
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    kind = "text/javascript" if name.endswith(".js") else guessed
    text = kind.startswith("text/") or kind == "image/svg+xml"
    return StaticFile(
        content, f"{kind}; charset=utf-8" if text else kind, hashlib.sha256(content).hexdigest()
    )


def _respond(file: StaticFile) -> Response:
    response = Response(file.content, content_type=file.content_type)
    response.headers.update(HEADERS)
    response.set_etag(file.etag[:32])
    response.make_conditional(request)
    return response
