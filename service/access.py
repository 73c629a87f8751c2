"""Who may ask: everybody, or those who send the key that the settings name.

DIGITS_API_KEY_FILE or DIGITS_API_KEY -> key -> each request must carry it, or gets 401
                                                but probes, scrapes and the page itself
"""

import hmac

from werkzeug.datastructures import Headers, WWWAuthenticate
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


class Key:
    """The key that requests must carry, read once; without one the service is open to all."""

    def __init__(self, settings: Settings) -> None:
        self._key = key_of(settings)

    def check(self, headers: Headers) -> None:
        """Raise Unauthorized if a request lacks the key.

        It comes as `Authorization: Bearer KEY` or as `X-API-Key: KEY`.
        """
        # In constant time: how long a refusal takes tells nothing of how much was right.
        if self._key is not None and not hmac.compare_digest(_given(headers), self._key):
            raise Unauthorized(
                "Send the key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'.",
                www_authenticate=WWWAuthenticate("bearer"),
            )


def is_open(route: str) -> bool:
    """Tell whether a route, such as "/static/<name>", answers without the key."""
    return route in OPEN_PATHS or route in OPEN_PAGES


def _given(headers: Headers) -> bytes:
    kind, _, token = headers.get("Authorization", "").partition(" ")
    text = token.strip() if kind.lower() == "bearer" else headers.get("X-API-Key", "")
    return text.encode("latin-1", "replace")  # as WSGI hands over the bytes of a header
