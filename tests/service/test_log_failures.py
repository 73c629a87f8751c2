"""A broken log does not stop the answers, and never contains image data."""

import base64
import subprocess
import time
from pathlib import Path

import pytest
import requests

from tests.drawing import digit_png, draw_digit, encode
from tests.serving import COMMAND, PROJECT, answers, free_port, running_service, wait_until
from tests.sockets import exchange

IMAGE = digit_png(7)


def test_a_full_log_disk_does_not_stop_answers(tmp_path):
    with running_service(tmp_path, log=Path("/dev/full")) as server:
        for _ in range(200):  # far beyond what any buffer holds
            assert server.predict(IMAGE).json()["digit"] == 7
        assert exchange(server, b"rubbish\r\n\r\n")[0].status == 400


def ask_fifty_times(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: answers(f"{url}/readyz"), "the service")
    for _ in range(50):
        assert requests.post(f"{url}/predict", files={"file": IMAGE}, timeout=30).status_code == 200


def test_lost_reader_of_the_log_does_not_stop_answers():
    port = free_port()
    environment = {"PATH": "/usr/bin:/bin", "PORT": str(port)}
    process = subprocess.Popen(
        COMMAND, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        process.stdout.close()
        ask_fifty_times(port)
    finally:
        process.terminate()
        process.wait()


def test_a_closed_stdout_does_not_stop_answers():
    port = free_port()
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *COMMAND],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", "PORT": str(port)},
    )
    try:
        ask_fifty_times(port)
    finally:
        process.terminate()
        process.wait()


HOSTILE = {
    "quotes": b'GET /"},{"level":"x HTTP/1.1\r\nHost: x\r\n',
    "escapes": b"GET /%0a%0d%22%00%1b[31m?a=%0a HTTP/1.1\r\nHost: x\r\n",
    "bytes": b"GET /a HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\xfe\xe9\r\nX-Request-Id: a\xff\r\n",
    "long": b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n",
    "method": b"BREW /a HTTP/1.1\r\nHost: x\r\n",
    "rubbish": b'{"level": "error"}\r\n',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_whatever_is_sent_the_log_stays_one_json_object_a_line(service, kind):
    (answer,) = exchange(service, HOSTILE[kind] + b"Connection: close\r\n\r\n")
    identity = answer.headers["x-request-id"]
    wait_until(lambda: identity in service.log.read_text(), "the line", seconds=5)
    (line,) = [line for line in service.log_lines() if line.get("request_id") == identity]
    assert line["status"] == answer.status
    assert len(line["path"]) <= 200


def test_c_libraries_print_nothing_past_the_log(service):
    picture = bytearray(encode(draw_digit(7), "TIFF", compression="tiff_lzw"))
    before = len(service.log_lines())
    for position in range(len(picture) - 120, len(picture)):  # the tags are at the end
        damaged = picture.copy()
        damaged[position] ^= 0xFF
        assert service.predict(bytes(damaged)).status_code in (200, 413, 415, 422)
    time.sleep(0.2)
    assert len(service.log_lines()) >= before + 120  # reading them fails where one is not JSON


def test_nothing_of_an_image_is_in_the_log(tmp_path):
    marker = b"HANDWRITING-OF-A-PERSON"
    with running_service(tmp_path, DIGITS_LOG_LEVEL="debug") as server:
        for image in (IMAGE + marker, marker, b"\x89PNG\r\n\x1a\n" + marker, b"BM" + marker * 9):
            server.predict(image)
            requests.post(
                f"{server.url}/predict", data=image, headers={"Content-Type": "image/png"}, timeout=9
            )
            requests.post(f"{server.url}/v2/models/mnist-28x28/infer", data=image, timeout=9)
            exchange(server, image + b"\r\n\r\n")
        text = server.log.read_text()
    assert "HANDWRITING" not in text
    assert base64.b64encode(marker).decode()[:12] not in text


def test_where_only_warnings_are_wanted_no_request_is_written(tmp_path):
    with running_service(tmp_path, DIGITS_LOG_LEVEL="warning") as server:
        assert server.predict(IMAGE).status_code == 200
        assert server.log_lines() == []
