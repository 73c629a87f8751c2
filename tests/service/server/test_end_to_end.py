"""Real gunicorn, two workers, real pictures over real HTTP."""

import concurrent.futures
import io
import os
import random
import signal
import socket
import subprocess
import time

import numpy as np
import pytest
import requests
from PIL import Image

from service.model.artifact import save
from tests.drawing import digit_png, draw_digit, encode
from tests.serving import Server, copy_models, running_service, wait_until
from tests.tiny import tiny_content

DIGITS = range(10)


def post_many(server: Server, images: list[bytes], clients: int = 8) -> list[requests.Response]:
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return list(pool.map(server.predict, images))


@pytest.mark.parametrize("digit", DIGITS)
def test_a_drawn_digit_is_recognised(service, digit):
    answer = service.predict(digit_png(digit)).json()
    assert answer["digit"] == digit
    assert answer["model"]["name"] == "mnist-28x28"


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize(
    ("ink", "paper", "mode", "format"),
    [
        (255, 0, "L", "PNG"),
        ((30, 40, 150), (235, 225, 200), "RGB", "JPEG"),
        ((250, 220, 60, 255), (20, 60, 40, 255), "RGBA", "WEBP"),
    ],
    ids=["white on black", "blue on beige, JPEG", "yellow on green, WebP"],
)
def test_it_is_recognised_in_other_colours_and_formats(service, digit, ink, paper, mode, format):
    picture = draw_digit(digit, (500, 400), (0.35, 0.2, 0.4, 0.6), ink, paper, mode)
    assert service.predict(encode(picture, format)).json()["digit"] == digit


def test_the_small_model_answers_as_well(service):
    right = [
        service.predict(digit_png(digit), model="digits-8x8").json()["digit"] == digit for digit in DIGITS
    ]
    assert sum(right) >= 8  # it was trained on 1,500 digits of other shapes


def test_a_thousand_requests_to_two_workers_are_all_counted(service):
    image = digit_png(5)
    before = service.metric("http_requests_total", route="/predict", status="200")
    predictions = service.metric("digits_predictions_total")
    responses = post_many(service, [image] * 1000)
    assert {response.status_code for response in responses} == {200}
    assert service.metric("http_requests_total", route="/predict", status="200") == before + 1000
    assert service.metric("digits_predictions_total") == predictions + 1000
    assert service.metric("http_requests_in_flight") == 0


def test_both_workers_give_the_same_answer(service):
    answers = {response.text for response in post_many(service, [digit_png(8)] * 40)}
    assert len(answers) == 1


def bad_images() -> dict[str, tuple[bytes, int]]:
    animation = io.BytesIO()
    draw_digit(3).save(animation, "GIF", save_all=True, append_images=[draw_digit(8)])
    return {
        "empty": (b"", 400),
        "text": (b"hello", 415),
        "truncated PNG": (digit_png(3)[:300], 422),
        "88 million pixels in 11 kB": (encode(Image.new("1", (9400, 9400))), 413),
        "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415),
        "blank page": (encode(Image.new("RGB", (600, 800), (250, 250, 248))), 422),
        "animated GIF": (animation.getvalue(), 200),
    }


@pytest.mark.parametrize("kind", bad_images())
def test_bad_images_get_their_error_and_the_service_goes_on(service, kind):
    image, status = bad_images()[kind]
    response = service.predict(image)
    assert response.status_code == status
    if status != 200:
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == status
    assert service.predict(digit_png(3)).json()["digit"] == 3


def test_a_body_of_thirty_megabytes_is_answered_with_413(service):
    response = requests.post(f"{service.url}/predict", files={"file": b"x" * 30_000_000}, timeout=60)
    assert response.status_code == 413
    assert response.json()["status"] == 413


def test_plain_socket_sees_the_413_before_it_has_sent_all(service):
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: image/png\r\nContent-Length: 30000000\r\n\r\n"
        )
        for _ in range(300):
            connection.sendall(b"x" * 100_000)
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_batch_is_answered_in_order(service):
    order = random.Random(1).sample(list(DIGITS), 10)
    files = [("file", (f"{digit}.png", digit_png(digit))) for digit in order]
    files.insert(4, ("file", ("bad.png", b"bad")))
    answers = requests.post(f"{service.url}/predict/batch", files=files, timeout=60).json()["predictions"]
    assert answers.pop(4)["error"]["status"] == 415
    assert [answer["digit"] for answer in answers] == order


def test_every_request_is_one_json_line_with_its_id(service):
    identity = f"line-{time.time_ns()}"
    requests.post(
        f"{service.url}/predict", files={"file": digit_png(2)}, headers={"X-Request-Id": identity}, timeout=30
    )
    wait_until(lambda: identity in service.log.read_text(), "the log line", seconds=5)
    (line,) = [line for line in service.log_lines() if line.get("request_id") == identity]
    assert (line["method"], line["route"], line["status"], line["digit"]) == ("POST", "/predict", 200, 2)
    assert line["milliseconds"] > 0
    assert len(line["model_version"]) == 12


def test_a_replaced_model_is_served_without_a_failed_request(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    save(folder / "mnist-28x28.npz", tiny_content(seed=1))
    environment = {"DIGITS_MODELS_DIR": str(folder), "DIGITS_RELOAD_SECONDS": "0.2"}
    with running_service(tmp_path, **environment) as server:
        image = digit_png(6)
        versions = {server.predict(image).json()["model"]["version"]}
        old = next(iter(versions))
        save(folder / "mnist-28x28.npz", tiny_content(seed=2))
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            responses = post_many(server, [image] * 20)
            assert {response.status_code for response in responses} == {200}
            if old not in {response.json()["model"]["version"] for response in responses}:
                break
        else:
            pytest.fail("a worker still served the old model after 5 s")

        (folder / "mnist-28x28.npz").write_bytes(b"broken")
        wait_until(lambda: server.metric("digits_model_load_failures_total") > 0, "the refusal", server.log)
        time.sleep(1)  # several looks of both workers
        assert server.metric("digits_model_load_failures_total") == 1
        assert [line["message"] for line in server.log_lines()].count("model refused") == 1
        assert server.predict(image).status_code == 200


def test_a_service_without_models_waits_for_them(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    environment = {"DIGITS_MODELS_DIR": str(folder), "DIGITS_RELOAD_SECONDS": "0.2"}
    with running_service(tmp_path, "/livez", **environment) as server:
        response = server.predict(digit_png(1))
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert requests.get(f"{server.url}/readyz", timeout=5).status_code == 503
        copy_models(folder)
        wait_until(
            lambda: {requests.get(f"{server.url}/readyz", timeout=5).status_code for _ in range(20)} == {200},
            "both workers ready",
            server.log,
        )
        assert server.predict(digit_png(1)).json()["digit"] == 1


@pytest.mark.parametrize("kind", ["truncated", "not a number", "wrong shape", "pickle", "claims 32 GiB"])
def test_a_bad_model_at_the_start_is_named_and_the_others_serve(tmp_path, kind):
    from tests.service.model.test_artifact import Malicious, claiming, npy, rewritten

    content = {
        "truncated": lambda: tiny_content()[:5000],
        "not a number": lambda: tiny_content(weights_0=np.full((64, 6), np.nan, "f4")),
        "wrong shape": lambda: tiny_content(weights_0=np.zeros((63, 6), "f4")),
        "pickle": lambda: rewritten(
            tiny_content(), weights_0=npy(np.array([Malicious()], dtype=object), allow_pickle=True)
        ),
        "claims 32 GiB": lambda: rewritten(tiny_content(), weights_0=claiming((2**33,))),
    }[kind]()
    folder = copy_models(tmp_path / "models")
    (folder / "bad.npz").write_bytes(content)
    with running_service(tmp_path, DIGITS_MODELS_DIR=str(folder), WEB_CONCURRENCY="1") as server:
        assert server.predict(digit_png(4)).json()["digit"] == 4
        assert server.predict(digit_png(4), model="bad").status_code == 404
        (line,) = [line for line in server.log_lines() if line["message"] == "model refused"]
        assert line["model"] == "bad"
        assert line["reason"]


def test_sigterm_finishes_what_was_begun_and_exits_with_zero(tmp_path):
    with running_service(tmp_path) as server:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            pending = [pool.submit(server.predict, digit_png(9)) for _ in range(4)]
            wait_until(lambda: server.metric("http_requests_total", route="/predict") >= 1, "a request")
            server.process.send_signal(signal.SIGTERM)
            assert {one.result().status_code for one in pending} == {200}
        assert server.process.wait(30) == 0


def test_a_killed_worker_is_replaced_and_its_counts_stay(tmp_path):
    with running_service(tmp_path) as server:
        post_many(server, [digit_png(2)] * 50)
        before = server.metric("http_requests_total", route="/predict")
        assert before == 50
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(server.process.pid)],
            capture_output=True,
            text=True,
            check=True,
        )
        workers = [int(pid) for pid in children.stdout.split()]
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        wait_until(lambda: server.log.read_text().count("Booting worker") == 3, "a new worker", server.log)

        def all_answer() -> bool:
            try:
                return {response.status_code for response in post_many(server, [digit_png(2)] * 20)} == {200}
            except requests.ConnectionError:  # what the killed worker held is lost
                return False

        wait_until(all_answer, "answers again")
        assert server.metric("http_requests_total", route="/predict") >= before + 20
