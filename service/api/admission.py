"""Which requests go on to a view: refused by the server, malformed, or without the key, they do not.

request -> refused by the server? -> expectation that can be met? -> key -> view
"""

from flask import Flask, request
from werkzeug.exceptions import ExpectationFailed

from service.api.auth import Key
from service.api.observability import record_of
from service.api.problems import OverloadedError

# An error that the server found before the application was called: too large, too slow, one too many, ...
REFUSAL = "digits.refusal"
# What tells whether the service is well has to be answered when it is not.
ALWAYS_ANSWERED = frozenset({"/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})


def admit(app: Flask, key: Key) -> None:
    """Check every request of `app` before its view."""

    @app.before_request
    def check() -> None:
        environ, route = request.environ, record_of(request.environ).route
        refusal: Exception | None = environ.get(REFUSAL)
        if refusal and not (isinstance(refusal, OverloadedError) and route in ALWAYS_ANSWERED):
            raise refusal
        if environ.get("HTTP_EXPECT", "100-continue").lower() != "100-continue":
            raise ExpectationFailed("Only '100-continue' can be expected. Send the request without 'Expect'.")
        key.check(route or request.path, request.headers)
