"""A request that is in flight while the container is told to stop.

`python -m tests.deploy.image.slow_request PORT RESULT` posts half a picture, leaves the rest to a process
that goes on by itself, and returns; that one writes the status of the answer to the file RESULT.
"""

import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.drawing import digit_png

PAUSE_SECONDS = 3


def post_slowly(port: int, result: Path) -> None:
    """Post a picture in two halves, with a pause between them; write the status line of the answer."""
    body = digit_png(7)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = "POST /predict HTTP/1.1\r\nHost: digits\r\nContent-Type: image/png\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[: len(body) // 2])
        result.with_suffix(".begun").touch()
        time.sleep(PAUSE_SECONDS)
        connection.sendall(body[len(body) // 2 :])
        result.write_text(connection.makefile().readline())


if __name__ == "__main__":
    port, result = int(sys.argv[1]), Path(sys.argv[2])
    if sys.argv[3:] == ["--here"]:
        post_slowly(port, result)
    else:
        subprocess.Popen([sys.executable, "-m", "tests.deploy.image.slow_request", *sys.argv[1:], "--here"])
        while not result.with_suffix(".begun").exists():
            time.sleep(0.05)
        time.sleep(0.5)  # the worker has read the head by now
