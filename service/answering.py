"""One request, once all of it is there: through gunicorn's parser, the application, and back.

    begin:    Connection -> parser -> request -> environ -> application -> pieces of the answer
    complete: pieces -> Response -> Connection

In two halves, so that of several requests the first halves can come before the second ones. What is
right and wrong HTTP is gunicorn's to say; what its own worker does beside, for each request, is for
hooks, files, an access log and HTTP/2, of which nothing is used here.
"""

import io
import logging
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gunicorn.config import Config
from gunicorn.http import message, wsgi
from gunicorn.http.errors import NoMoreData
from gunicorn.http.unreader import SocketUnreader
from gunicorn.util import http_date, unquote_to_wsgi_str
from gunicorn.workers.gthread import TConn

from service.connection import Connection
from service.head import Head
from service.headers import SECURITY_HEADERS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

CONSTANT = frozenset(SECURITY_HEADERS.items())
PLAIN_HEADERS = ("CONTENT-TYPE", "CONTENT-LENGTH")  # which WSGI names without "HTTP_"


class Request(message.Request):
    """Gunicorn's request, which does not read again what is known of it."""

    def parse(self, unreader: SocketUnreader) -> bytes:
        """Read the head of a request; return what was read beyond it."""
        head: Head | None = unreader.sock.framing.plain
        if head is None:
            return bytes(super().parse(unreader))
        self.method, self.path, self.version, self.headers = head.method, head.path, (1, 1), head.headers
        self.query, self.fragment = head.query or "", ""
        self.uri = head.path if head.query is None else f"{head.path}?{head.query}"
        return b""

    def set_body_reader(self) -> None:
        """Make `body`, from which the application reads."""
        self.body: Any
        connection: Connection = self.unreader.sock
        if connection.framing.plain is None:
            super().set_body_reader()
        if connection.body is not None:
            self.body = io.BytesIO(connection.body)
        elif connection.framing.plain:
            self.body = io.BytesIO()


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


def common_environ(config: Config) -> dict[str, Any]:
    """Return what the environs of all requests have."""
    return wsgi.base_environ(config) | {"wsgi.multithread": True}


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    """Return a moment, in Unix time, as headers have it."""
    return str(http_date(second))


def environ_of(request: Request, conn: TConn) -> dict[str, Any]:
    """Return what the application gets to know of a request (PEP 3333), but for what all have in common.

    Gunicorn's function for it does as much again for proxies, sockets in the file system and early hints.
    """
    major, minor = request.version
    environ = {
        "wsgi.input": request.body,
        "wsgi.url_scheme": request.scheme,
        "gunicorn.socket": conn.sock,
        "REQUEST_METHOD": request.method,
        "RAW_URI": request.uri,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_wsgi_str(request.path),
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": f"HTTP/{major}.{minor}",
        "SERVER_NAME": conn.server[0],
        "SERVER_PORT": str(conn.server[1]),
        "REMOTE_ADDR": conn.client[0],
        "REMOTE_PORT": str(conn.client[1]),
    }
    for name, value in request.headers:
        # The parser lets no name with an underscore pass, which would become the same as another here.
        key = name.replace("-", "_") if name in PLAIN_HEADERS else f"HTTP_{name.replace('-', '_')}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


class Answering:
    """A request that is being answered; `begin` and `complete`, once each, in any thread.

    common: what all requests' environs have. tell: answers what gunicorn could not read or the application
    not answer; it gets the path, as far as it is known, and the error.
    """

    def __init__(self, conn: TConn, common: dict[str, Any], tell: Callable[[str, Exception], None]) -> None:
        self.conn = conn
        self._common = common
        self._tell = tell
        self._request: Request | None = None
        self._response: Response | None = None
        self._pieces: Iterable[bytes] = ()

    def begin(self, application: "WSGIApplication", config: Config, is_last: bool) -> None:
        """Parse the request and have the application begin; with is_last, the connection ends with it."""
        conn = self.conn
        try:
            request = self._request = Request(config, SocketUnreader(conn.sock), conn.client)
            response = Response(request, conn.sock, config)
            if is_last:
                response.force_close()
            environ = self._common | environ_of(request, conn)
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
            try:
                for piece in self._pieces:
                    response.write(piece)
                response.close()
            finally:
                if hasattr(self._pieces, "close"):
                    self._pieces.close()
            return not response.should_close() and self._is_read()
        except Exception as error:
            if response.headers_sent:  # another answer would be taken for the rest of this one
                logger.exception("an answer broke off")
            else:
                self._fail(error)
            return False

    def _is_read(self) -> bool:
        """Read what the application left of the body; return whether it was framed as it should be."""
        if self._request is None or self.conn.sock.body is not None:
            return True
        body = self._request.body
        try:
            while body.read(65536):
                pass
        except Exception:  # the answer is out: nothing more is told
            return False
        return not getattr(body, "failed", False)

    def _fail(self, error: Exception) -> None:
        self._tell(getattr(self._request, "path", None) or "", error)
