"""One request, once all of it is there: through gunicorn's parser, the application, and back.

    begin:    Connection -> parser -> request -> environ -> application -> pieces of the answer
    complete: pieces -> Response -> Connection

In two halves, so that of several requests the first halves can come before the second ones. What is
right and wrong HTTP is gunicorn's to say; what its own worker does beside, for each request, is for
hooks, files, an access log and HTTP/2, of which nothing is used here.
"""

import io
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData
from gunicorn.util import http_date
from gunicorn.workers.gthread import TConn

from service.headers import SECURITY_HEADERS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

CONSTANT = frozenset(SECURITY_HEADERS.items())


class Response(wsgi.Response):
    """Gunicorn's response, which does not look again at what is the same in every answer."""

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        """Check the headers that the application has set, and take them."""
        super().process_headers([header for header in headers if header not in CONSTANT])
        self.headers += [header for header in headers if header in CONSTANT]

    def default_headers(self) -> list[str]:
        """Return the status line and the headers that every answer has."""
        major, minor = self.req.version
        lines = [
            f"HTTP/{major}.{minor} {self.status}\r\n",
            f"Server: {self.version}\r\n",
            f"Date: {_date(int(time.time()))}\r\n",
            f"Connection: {'close' if self.should_close() else 'keep-alive'}\r\n",
        ]
        return [*lines, "Transfer-Encoding: chunked\r\n"] if self.chunked else lines


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    """Return a moment, in Unix time, as headers have it."""
    return str(http_date(second))


class Answering:
    """A request that is being answered; `begin` and `complete`, once each, in any thread.

    tell: answers what gunicorn could not read or the application not answer; it gets the path, as far
    as it is known, and the error.
    """

    def __init__(self, conn: TConn, tell: Callable[[str, Exception], None]) -> None:
        self.conn = conn
        self._tell = tell
        self._request: Any = None
        self._response: Response | None = None
        self._pieces: Iterable[bytes] = ()

    def begin(self, application: "WSGIApplication", config: Config, is_last: bool) -> None:
        """Parse the request and have the application begin; with is_last, the connection ends with it."""
        conn = self.conn
        try:
            conn.init()
            request = self._request = next(conn.parser)
            if conn.sock.body is not None:
                request.body = io.BytesIO(conn.sock.body)
            response, environ = wsgi.create(request, conn.sock, conn.client, conn.server, config, Response)
            environ["wsgi.multithread"] = True
            if is_last:
                response.force_close()
            self._pieces = application(environ, response.start_response)
            self._response = response
        except (NoMoreData, StopIteration):  # the client has left
            pass
        except Exception as error:
            self._fail(error)

    def complete(self) -> bool:
        """Have the answer made and written; return whether the connection can take another request."""
        response = self._response
        if response is None:
            return False
        try:
            for piece in self._pieces:
                response.write(piece)
            response.close()
            if hasattr(self._pieces, "close"):
                self._pieces.close()
            return not response.should_close() and bool(self.conn.parser.finish_body())
        except Exception as error:
            self._fail(error)
            return False

    def _fail(self, error: Exception) -> None:
        self._tell(getattr(self._request, "path", None) or "", error)
