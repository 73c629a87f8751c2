"""A real proxy in front of the service: any by its command, nginx with the locations that a test wants.

locations, upstreams -> nginx.conf -> nginx on a free port
"""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.deploy.tools import program
from tests.serving import free_port, wait_until

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    types {{ text/html html; }}
    client_max_body_size 20m;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {upstreams}
    server {{
        listen 127.0.0.1:{port};
        {locations}
    }}
}}
"""


def listening(port: int) -> bool:
    """Return whether something accepts connections."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def running_proxy(command: list[object], port: int, output: Path) -> Iterator[None]:
    """Run a proxy that listens on `port` until the block ends; what it prints goes to the file `output`."""
    with open(output, "wb") as log:
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
    try:
        wait_until(lambda: listening(port) or process.poll() is not None, "a proxy that listens")
        assert process.poll() is None, output.read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def running_nginx(folder: Path, locations: str, upstreams: str = "") -> Iterator[str]:
    """Run nginx with these `location` and `upstream` blocks; yield its address, http://127.0.0.1:PORT."""
    port = free_port()
    configuration = CONFIGURATION.format(folder=folder, port=port, locations=locations, upstreams=upstreams)
    (folder / "nginx.conf").write_text(configuration)
    command = [program("nginx"), "-p", folder, "-e", folder / "start.log", "-c", folder / "nginx.conf"]
    with running_proxy(command, port, folder / "output"):
        yield f"http://127.0.0.1:{port}"
