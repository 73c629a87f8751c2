"""A connection to a service far away: a TCP proxy on this machine that holds every byte back.

browser -> delayed(port, milliseconds) -> half the round trip -> service -> half of it -> browser
"""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Iterator


def _read(source: socket.socket, pieces: queue.Queue[tuple[float, bytes]]) -> None:
    """Note what `source` brings and when it came; an empty piece is the end."""
    data = b"-"
    while data:
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        pieces.put((time.monotonic(), data))


def _write(target: socket.socket, pieces: queue.Queue[tuple[float, bytes]], seconds: float) -> None:
    """Send each piece `seconds` after it came."""
    while True:
        came, data = pieces.get()
        time.sleep(max(0.0, came + seconds - time.monotonic()))
        try:
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            target.sendall(data)
        except OSError:
            return


@contextlib.contextmanager
def delayed(port: int, milliseconds: int) -> Iterator[str]:
    """Yield the URL at which the service on `port` answers after a round trip of `milliseconds`."""
    threads: list[threading.Thread] = []
    sockets: list[socket.socket] = []

    def start(function: object, *arguments: object) -> None:
        threads.append(threading.Thread(target=function, args=arguments, daemon=True))
        threads[-1].start()

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", port))
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets.extend((near, far))
            for source, target in ((near, far), (far, near)):
                pieces: queue.Queue[tuple[float, bytes]] = queue.Queue()
                start(_read, source, pieces)
                start(_write, target, pieces, milliseconds / 2000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        start(accept, listener)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # or accept would wait for ever
            threads[0].join(10)
            for each in sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            for thread in threads[1:]:
                thread.join(10)
            for each in sockets:
                each.close()
