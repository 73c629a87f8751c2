"""Which requests reach a view: those that the server accepts and that carry the key.

request -> refused by the server? -> key -> view
"""

from flask import Flask, request

from service.api.auth import Key
from service.api.observability import Observer
from service.api.problems import OverloadedError

# Key of the environ for an error that the server found before it called the application, such as too large.
REFUSAL = "digits.refusal"
# Health routes must answer when the service is unhealthy.
ALWAYS_ANSWERED = frozenset({"/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})


def admit(app: Flask, observer: Observer, key: Key, preflights: bool = False) -> None:
    """Check every request of `app` before its view.

    preflights: whether OPTIONS is answered without the key, because browsers send none with a preflight.
    """

    @app.before_request
    def check() -> None:
        environ, rule = request.environ, request.url_rule
        route = rule.rule if rule else None
        observer.matched(environ, route)
        refusal: Exception | None = environ.get(REFUSAL)
        if refusal and not (isinstance(refusal, OverloadedError) and route in ALWAYS_ANSWERED):
            raise refusal
        if not (preflights and environ["REQUEST_METHOD"] == "OPTIONS"):
            key.check(route or environ["PATH_INFO"], request.headers)
