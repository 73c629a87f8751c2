"""A real nginx in front of the service, with the locations that a test wants.

locations -> nginx.conf -> nginx on a free port
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
    server {{
        listen 127.0.0.1:{port};
        {locations}
    }}
}}
"""


def listening(port: int) -> bool:
    """Tell whether something accepts connections."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def running_nginx(folder: Path, locations: str) -> Iterator[str]:
    """Run nginx with these `location` blocks; yield its address, such as http://127.0.0.1:8081."""
    port = free_port()
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port, locations=locations))
    command = [program("nginx"), "-p", folder, "-e", folder / "start.log", "-c", folder / "nginx.conf"]
    with open(folder / "output", "wb") as log:
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
    try:
        wait_until(lambda: listening(port) or process.poll() is not None, "nginx that listens")
        assert process.poll() is None, (folder / "output").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
