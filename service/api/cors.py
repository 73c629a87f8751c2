"""Which web pages on other hosts may send requests: those of the origins in the settings, by default none.

    DIGITS_CORS_ORIGINS -> Flask-CORS -> Access-Control-* headers, preflights answered

Without the setting, Flask-CORS is not imported, and browsers hide the answers from pages on other hosts. If
a key is set, a page sends it in a header. Cookies are never used.
"""

from flask import Flask

from service.api.inference import HEADER_LENGTH
from service.config import Settings

METHODS = ["GET", "HEAD", "POST"]
REQUEST_HEADERS = [
    *("Authorization", "Content-Encoding", "Content-Type", "X-API-Key", "X-Request-Id"),
    *("traceparent", "tracestate", HEADER_LENGTH),
]
ANSWER_HEADERS = ["Retry-After", "X-Request-Id", HEADER_LENGTH]
PREFLIGHT_SECONDS = 600  # how long a browser may cache the answer to a preflight


def allow_origins(app: Flask, settings: Settings) -> None:
    """Let pages of the settings' origins send requests to `app` and read its answers, errors included."""
    if not settings.cors_origins:
        return
    from flask_cors import CORS

    CORS(
        app,
        origins=list(settings.cors_origins),
        methods=METHODS,
        allow_headers=REQUEST_HEADERS,
        expose_headers=ANSWER_HEADERS,
        max_age=PREFLIGHT_SECONDS,
        send_wildcard="*" in settings.cors_origins,
    )
