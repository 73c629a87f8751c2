"""Serving below a prefix: at https://host/digits/ instead of at the root of a host.

    DIGITS_ROOT_PATH, or X-Forwarded-Prefix of a trusted proxy -> SCRIPT_NAME
    a path with the prefix, or stripped of it by the proxy     -> PATH_INFO without it

Addresses that the application generates (redirects, OpenAPI's servers) begin with SCRIPT_NAME, as WSGI
requires. The pages use relative links. A prefix must not begin like a route of the service.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from service.config import Settings, is_root_path

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Prefix:
    """WSGI middleware that strips the prefix from the path. ProxyFix, around it, reads the proxy's header."""

    def __init__(self, application: "WSGIApplication", root_path: str) -> None:
        self._application = application
        self._root_path = root_path

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request; a header that is not a path is ignored."""
        forwarded = environ["SCRIPT_NAME"].rstrip("/")
        prefix = forwarded if is_root_path(forwarded) else self._root_path
        path = environ["PATH_INFO"]
        if path == prefix or path.startswith(f"{prefix}/"):
            environ["PATH_INFO"] = path[len(prefix) :]
        environ["SCRIPT_NAME"] = prefix
        return self._application(environ, start_response)


def below_prefix(application: "WSGIApplication", settings: Settings) -> "WSGIApplication":
    """Return the application wrapped in Prefix, or unchanged if the settings allow no prefix."""
    if not settings.root_path and not settings.trust_proxy:
        return application
    prefixed = Prefix(application, settings.root_path)
    return ProxyFix(prefixed, x_for=0, x_proto=0, x_prefix=1) if settings.trust_proxy else prefixed
