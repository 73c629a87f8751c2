"""Which clients may send requests: all of them, or only those that send the configured key.

DIGITS_API_KEY_FILE or DIGITS_API_KEY -> key -> each request needs it, or gets 401,
                                                except probes, scrapes and the page itself
"""

import hmac

from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from service.config import Settings

# Kubernetes' probes send no key, nor does Prometheus by default; a network policy guards these routes.
PROBES = frozenset({"/livez", "/readyz", "/v2/health/live", "/v2/health/ready"})
METRICS = frozenset({"/metrics"})
# A browser cannot send the key when it opens a page. These routes reveal nothing about the models.
PAGES = frozenset({"/", "/docs", "/openapi.json", "/static/<name>", "/problems/<name>"})


def keys_of(settings: Settings) -> list[bytes]:
    """Return the accepted keys, [] if requests need no key.

    Each line of the file is a key, so an old and a new key are both valid while clients change over.
    """
    if settings.api_key_file:
        return [line.strip() for line in settings.api_key_file.read_bytes().splitlines() if line.strip()]
    return [settings.api_key.encode("utf-8", "surrogateescape")] if settings.api_key else []


def open_routes(settings: Settings) -> frozenset[str]:
    """Return the routes, such as "/static/<name>", that answer without the key."""
    return PROBES | PAGES | (METRICS if settings.metrics_open else frozenset())


class Key:
    """The accepted keys, read once. Without keys, the service is open to all clients."""

    def __init__(self, settings: Settings) -> None:
        self._keys = keys_of(settings)
        self._open = open_routes(settings)

    def check(self, route: str, headers: Headers) -> None:
        """Raise Unauthorized if a request lacks a valid key and its route is not open.

        The key comes as `Authorization: Bearer KEY` or as `X-API-Key: KEY`.
        """
        if not self._keys or route in self._open:
            return
        given = _given(headers)
        # In constant time, so that the time of a refusal does not reveal how much of a key was right.
        if not any([hmac.compare_digest(given, key) for key in self._keys]):  # noqa: C419
            raise Unauthorized(
                "Send the key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'.",
                www_authenticate=WWWAuthenticate("bearer"),
            )


def _given(headers: Headers) -> bytes:
    kind, _, token = headers.get("Authorization", "").partition(" ")
    text = token.strip() if kind.lower() == "bearer" else headers.get("X-API-Key", "")
    return text.encode("latin-1", "replace")  # WSGI decodes header bytes as latin-1
