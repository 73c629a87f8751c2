"""One long piece of work does not stop a loop: a deputy runs it meanwhile."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from PIL import Image, ImageDraw

from service.deputy import Deputy
from tests.drawing import digit_png, encode
from tests.serving import running_service, wait_until


class Loop:
    """A loop that counts its turns and the threads that run them; a turn waits until it is woken."""

    def __init__(self) -> None:
        self.turns = 0
        self.runners: set[str] = set()
        self.woken = threading.Event()

    def turn(self) -> None:
        self.turns += 1
        self.runners.add(threading.current_thread().name)
        self.woken.wait(30)
        self.woken.clear()


def test_while_the_work_is_short_nobody_stands_in():
    loop = Loop()
    deputy = Deputy(loop.turn, loop.woken.set, patience_seconds=3600)
    for _ in range(10_000):
        deputy.lend()
        deputy.take_back()
    assert loop.turns == 0


def test_while_the_work_is_long_another_thread_runs_the_loop():
    loop = Loop()
    deputy = Deputy(loop.turn, loop.woken.set)
    deputy.lend()
    for turns in range(1, 4):
        wait_until(lambda turns=turns: loop.turns == turns, f"turn {turns}")
        loop.woken.set()
    deputy.take_back()
    assert loop.runners == {"deputy"}


def test_who_comes_back_wakes_the_deputy_and_has_the_loop_to_itself():
    loop = Loop()
    deputy = Deputy(loop.turn, loop.woken.set)
    for _ in range(3):
        deputy.lend()
        before = loop.turns
        wait_until(lambda before=before: loop.turns > before, "the deputy's turn")
        deputy.take_back()  # or else it would wait for as long as the turn does
        turns = loop.turns
        time.sleep(0.1)
        assert loop.turns == turns


# Few bytes, so that the loop answers it itself, and nearly as many pixels as are allowed.
LONG = Image.new("1", (4900, 4900), 1)
ImageDraw.Draw(LONG).rectangle((2000, 1000, 2600, 4000), fill=0)
IN_A_BATCH = 4


def test_small_requests_are_answered_while_the_only_worker_decodes_small_files_of_many_pixels(tmp_path: Path):
    files = [("file", encode(LONG))] * IN_A_BATCH
    assert sum(len(content) for _, content in files) < 60_000
    with running_service(tmp_path, WEB_CONCURRENCY="1") as server, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(requests.post, f"{server.url}/predict/batch", files=files, timeout=60)
        wait_until(lambda: server.metric("http_requests_in_flight") == 2, "the batch and the scrape")
        answered = 0
        while not slow.done():
            assert server.predict(digit_png(3)).status_code == 200
            answered += not slow.done()
        assert [each["digit"] for each in slow.result().json()["predictions"]] == [1] * IN_A_BATCH
    assert answered > 1  # the first may have been on its way


def test_a_stop_meanwhile_loses_nothing(tmp_path: Path):
    with running_service(tmp_path, WEB_CONCURRENCY="1") as server, ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(server.predict, encode(LONG)) for _ in range(4)]
        wait_until(lambda: server.metric("http_requests_in_flight") >= 2, "a long request in flight")
        server.process.terminate()
        assert [one.result().status_code for one in slow] == [200] * 4
        assert server.process.wait(30) == 0
