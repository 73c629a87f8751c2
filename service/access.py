"""Who may ask: everybody, or those who send the key that the settings name.

DIGITS_API_KEY_FILE or DIGITS_API_KEY -> key -> each request must carry it, or gets 401
                                                but probes, scrapes and the page itself
"""

import hmac

from flask import Flask, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from service.config import Settings

# Kubernetes' probes and Prometheus ask without a key; a network policy is what guards these.
OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})
# A browser cannot send the key with an address; these hold nothing of the models, and the page asks for it.
OPEN_PAGES = frozenset({"/", "/docs", "/openapi.json", "/static/<name>"})


def key_of(settings: Settings) -> bytes | None:
    """Return the key that requests must carry, None where everybody may ask."""
    if settings.api_key_file:
        return settings.api_key_file.read_bytes().strip()
    return settings.api_key.encode("utf-8", "surrogateescape") if settings.api_key else None


def require_key(app: Flask, settings: Settings) -> None:
    """Have `app` refuse requests that lack the key of the settings; without one it is open to all.

    The key comes as `Authorization: Bearer KEY` or as `X-API-Key: KEY`. It is read once, at the start.
    """
    key = key_of(settings)
    if key is None:
        return

    @app.before_request
    def check() -> None:
        if is_open(request.url_rule.rule if request.url_rule else request.path):
            return
        # In constant time: how long a refusal takes tells nothing of how much was right.
        if not hmac.compare_digest(_given(), key):
            raise Unauthorized(
                "Send the key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'.",
                www_authenticate=WWWAuthenticate("bearer"),
            )


def is_open(route: str) -> bool:
    """Tell whether a route, such as "/static/<name>", answers without the key."""
    return route in OPEN_PATHS or route in OPEN_PAGES


def _given() -> bytes:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    text = token.strip() if kind.lower() == "bearer" else request.headers.get("X-API-Key", "")
    return text.encode("latin-1", "replace")  # as WSGI hands over the bytes of a header
