"""Real handwriting over real HTTP: MNIST's test images, photographs, drawings, and no digits.

The pictures are not part of the repository; these tests run if they lie beside it.
"""

import concurrent.futures
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from tests.drawing import encode
from tests.serving import MODELS, PROJECT, Server
from trainer.data.idx import IMAGES_MAGIC, LABELS_MAGIC, read_idx


def ask(server: Server, images: list[bytes]) -> list[dict]:
    """Post every image by itself, over connections that are kept."""
    with requests.Session() as session:
        return [
            session.post(f"{server.url}/predict", files={"file": image}, timeout=60).json()
            for image in images
        ]


def ask_all(server: Server, images: list[bytes], clients: int = 4) -> list[dict]:
    parts = [images[start::clients] for start in range(clients)]
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda part: ask(server, part), parts))
    return [answers[index % clients][index // clients] for index in range(len(images))]


def ask_in_batches(server: Server, images: list[bytes], many: int = 200, clients: int = 2) -> list[dict]:
    """Post the images, `many` in a request: ten thousand single requests cost a minute of processor time."""

    def ask_batch(start: int) -> list[dict]:
        files = [("file", image) for image in images[start : start + many]]
        response = requests.post(f"{server.url}/predict/batch", files=files, timeout=120)
        return response.json()["predictions"]

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return [one for part in pool.map(ask_batch, range(0, len(images), many)) for one in part]


def named(folder: Path) -> tuple[list[bytes], list[int]]:
    """Return the images of a folder and their digits, the first character of each name."""
    files = sorted(path for path in folder.iterdir() if path.name[0].isdigit())
    return [path.read_bytes() for path in files], [int(path.name[0]) for path in files]


def share_right(answers: list[dict], digits: list[int]) -> float:
    return float(
        np.mean([answer.get("digit") == digit for answer, digit in zip(answers, digits, strict=True)])
    )


def test_mnists_test_images_over_http_give_what_the_trainer_says(service, shared_data):
    folder = shared_data / "mnist"
    pictures = read_idx(folder / "t10k-images-idx3-ubyte.gz", IMAGES_MAGIC)
    labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz", LABELS_MAGIC).tolist()
    images = [encode(Image.fromarray(picture)) for picture in pictures]
    answers = ask_in_batches(service, images)
    assert len(answers) == len(images)
    alone = ask_all(service, images[:200])
    assert [answer["digit"] for answer in alone] == [answer["digit"] for answer in answers[:200]]
    assert not [answer for answer in answers if "digit" not in answer]
    wrong = sum(answer["digit"] != label for answer, label in zip(answers, labels, strict=True))
    assert wrong <= 60

    command = [sys.executable, "-m", "trainer", "evaluate", str(MODELS / "mnist-28x28.npz"), "mnist"]
    done = subprocess.run(
        [*command, "--data", str(folder), "--json"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert round((1 - json.loads(done.stdout)["accuracy"]) * 10_000) == wrong


def test_black_and_white_squares_of_16_pixels_are_read(service, shared_data):
    # As older data sets keep digits: cut out, stretched and thresholded. With hard edges, 10 % are misread.
    folder = shared_data / "mnist"
    pictures = read_idx(folder / "t10k-images-idx3-ubyte.gz", IMAGES_MAGIC)[:1000]
    labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz", LABELS_MAGIC)[:1000].tolist()
    images = []
    for picture in map(Image.fromarray, pictures):
        square = picture.crop(picture.getbbox()).resize((16, 16), Image.Resampling.BOX)
        images.append(encode(square.point(lambda value: 255 * (value > 127))))
    assert share_right(ask_in_batches(service, images), labels) >= 0.94


def test_photographs_of_digits_are_read(service, shared_data):
    images, digits = named(shared_data / "photos")
    assert share_right(ask_all(service, images), digits) >= 0.93


@pytest.fixture(scope="module")
def drawn(service, shared_data):
    """The answers to the drawn digits, and the digits."""
    images, digits = named(shared_data / "drawn")
    return ask_all(service, images), digits


def test_drawn_digits_are_read(drawn):
    assert share_right(*drawn) >= 0.99


def test_few_digits_and_most_clothes_are_refused(service, shared_data, drawn):
    clothes = np.load(shared_data / "not-digits" / "fashion_sprite.npz")["images"][::3]
    answers = ask_in_batches(service, [encode(Image.fromarray(picture)) for picture in clothes])
    assert np.mean([answer.get("accepted", False) for answer in answers]) < 0.4
    assert np.mean([answer["accepted"] for answer in drawn[0]]) > 0.95
