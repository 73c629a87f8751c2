"""Images in every kind of body: forms, JSON, raw bytes, compressed or not; and bodies that are wrong."""

import asyncio
import base64
import gzip
import io
import json
import threading
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.api import uploads
from service.coroutines import InGreenlet
from tests.drawing import digit_png, draw_digit, encode
from tests.service.tiny_app import SETTINGS, assert_problem, form, form_of
from tests.serving import run_alone

IMAGE = digit_png(3)


LIMIT = SETTINGS.max_upload_bytes


TENSOR = {"name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": [0.5] * 64}


def encoded(image: bytes) -> str:
    return base64.b64encode(image).decode()


def predicted(response: TestResponse) -> dict[str, Any]:
    """Return the answer to a request that must have got one."""
    assert response.status_code == 200, response.text
    assert response.json is not None
    return response.json


class TestJson:
    @pytest.mark.parametrize("start", ["", "data:image/png;base64,", "data:;base64,", "data:image/png,"])
    @pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
    def test_base64_and_data_urls_are_images(self, client, start, kind):
        body = json.dumps({"image": start + encoded(IMAGE), "more": [1]})
        response = client.post("/predict", data=body, content_type=kind)
        assert predicted(response) == predicted(client.post("/predict", data=form(IMAGE)))

    @pytest.mark.parametrize(
        ("body", "type", "detail"),
        [
            (b"{", "broken-body", "JSON of the request cannot be read"),
            (b"\xff\xfe", "broken-body", "JSON of the request cannot be read"),
            (b"[" * 100_000, "broken-body", "JSON of the request cannot be read"),
            (b'{"image": ' + b"9" * 5000 + b"}", "broken-body", "JSON of the request cannot be read"),
            (b"[]", "missing-image", "no image in the JSON"),
            (b"null", "missing-image", "no image in the JSON"),
            (b'"text"', "missing-image", "no image in the JSON"),
            (b"{}", "missing-image", "no image in the JSON"),
            (b'{"Image": "aGk="}', "missing-image", "no image in the JSON"),
            (b'{"image": 7}', "missing-image", "no image in the JSON"),
            (b'{"image": null}', "missing-image", "no image in the JSON"),
            (b'{"image": ["aGk="]}', "missing-image", "no image in the JSON"),
            (b'{"image": ""}', "empty-image", "0 bytes"),
            (b'{"image": "data:image/png;base64,"}', "empty-image", "0 bytes"),
            (b'{"image": "data:image/png;base64"}', "empty-image", "0 bytes"),
            (b'{"image": "not base64!"}', "broken-body", "The image is not base64"),
            (b'{"image": "aGk"}', "broken-body", "The image is not base64"),
            (b'{"image": "\\ud800"}', "broken-body", "The image is not base64"),
            ('{"image": "é"}'.encode(), "broken-body", "The image is not base64"),
            (b"", "missing-image", "The body is empty"),
        ],
    )
    def test_each_wrong_document_gets_its_problem(self, client, body, type, detail):
        response = client.post("/predict", data=body, content_type="application/json")
        assert_problem(response, 400, f"/problems/{type}", detail)

    def test_a_huge_document_is_refused(self, client):
        body = json.dumps({"image": "A" * LIMIT})
        response = client.post("/predict", data=body, content_type="application/json")
        assert_problem(response, 413, detail=f"larger than {LIMIT} bytes")

    def test_a_batch_asks_for_a_form(self, client):
        response = client.post("/predict/batch", json={"image": encoded(IMAGE)})
        assert_problem(response, 400, "/problems/missing-image", "parts called 'file'")


class TestForm:
    @pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
    def test_parts_need_no_file_name(self, client, path):
        named, nameless = (
            predicted(client.post(path, **form_of(("note", None, b"hi"), ("file", name, IMAGE))))
            for name in ("a.png", None)
        )
        assert named == nameless

    @pytest.mark.parametrize("preamble", [b"", b"\r\n", b"This is a form.\r\n", b"x" * 5000 + b"\r\n"])
    def test_a_preamble_is_skipped_and_a_cut_form_refused(self, client, preamble):
        fields = form_of(("file", "a.png", IMAGE))
        whole, kind = preamble + fields["data"], fields["content_type"]
        expected_answer = predicted(client.post("/predict", data=form(IMAGE)))
        assert predicted(client.post("/predict", data=whole, content_type=kind)) == expected_answer
        assert predicted(client.post("/predict", data=whole + b"\r\nepilogue", content_type=kind))
        for size in (len(preamble), len(preamble) + 20, len(whole) - 300, len(whole) - 6):
            response = client.post("/predict", data=whole[:size], content_type=kind)
            assert_problem(response, 400, "/problems/missing-image")

    @pytest.mark.parametrize(("path", "images"), [("/predict", 1), ("/predict/batch", 5)])
    def test_a_few_more_parts_than_images_may_come(self, client, path, images):
        files = [("file", "a.png", IMAGE)] * images
        notes = [("note", None, b"x")] * 8
        assert predicted(client.post(path, **form_of(*notes, *files)))
        for extra in (notes[:1], files[:1]):
            response = client.post(path, **form_of(*notes, *files, *extra))
            assert_problem(response, 413, detail=f"more than {images + 8} parts")

    def test_a_text_as_large_as_a_picture_is_refused(self, client):
        client.application.config["MAX_CONTENT_LENGTH"] = 10**7
        fields = form_of(("file", "a.png", IMAGE), ("note", None, b"x" * 500_001))
        assert_problem(client.post("/predict", **fields), 413, detail="longer than 500000")


class TestExplain:
    @pytest.mark.parametrize("value", ["true", "True", "TRUE", "1", "yes", "YES"])
    def test_every_way_to_say_yes_explains(self, client, value):
        assert "explanation" in predicted(client.post(f"/predict?explain={value}", data=form(IMAGE)))
        batch = predicted(client.post(f"/predict/batch?explain={value}", data=form(IMAGE)))
        assert "explanation" in batch["predictions"][0]

    @pytest.mark.parametrize("query", ["explain=false", "explain=False", "explain=0", "explain=no", ""])
    def test_every_way_to_say_no_does_not(self, client, query):
        assert "explanation" not in predicted(client.post(f"/predict?{query}", data=form(IMAGE)))

    @pytest.mark.parametrize("value", ["nonsense", "2", "truee", "%20true", "%ff", "y" * 200])
    @pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
    def test_anything_else_is_a_bad_request(self, client, path, value):
        response = client.post(f"{path}?explain={value}", data=form(IMAGE))
        assert_problem(response, 400, "/problems/invalid-parameter", "true, false or layers is expected")


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


# Path, body and content type of one good request of each kind.
BODIES: dict[str, tuple[str, bytes, str]] = {
    "form": ("/predict", *form_of(("file", "a.png", IMAGE)).values()),
    "batch": ("/predict/batch", *form_of(("file", "a.png", IMAGE), ("file", "b.png", b"text")).values()),
    "raw": ("/predict", IMAGE, "image/png"),
    "JSON": ("/predict", json.dumps({"image": encoded(IMAGE)}).encode(), "application/json"),
    "V2": ("/v2/models/tiny/infer", json.dumps({"inputs": [TENSOR]}).encode(), "application/json"),
}


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("kind", BODIES)
class TestContentEncoding:
    def send(self, client: FlaskClient, kind: str, body: bytes, encoding: str) -> TestResponse:
        path, _, content_type = BODIES[kind]
        return client.post(path, data=body, content_type=content_type, headers={"Content-Encoding": encoding})

    def assert_refused(self, response: TestResponse, kind: str, status: int, type: str, detail: str) -> None:
        if kind != "V2":
            assert_problem(response, status, type, detail)
            return
        assert response.status_code == status
        assert detail in json.loads(response.data)["error"]

    @pytest.mark.parametrize("encoding", PACKERS)
    def test_a_compressed_body_is_answered_like_a_plain_one(self, client, kind, encoding):
        path, body, content_type = BODIES[kind]
        plain = predicted(client.post(path, data=body, content_type=content_type))
        assert predicted(self.send(client, kind, PACKERS[encoding](body), encoding)) == plain

    @pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense", "x" * 200])
    def test_an_unknown_coding_is_unsupported(self, client, kind, encoding):
        response = self.send(client, kind, BODIES[kind][1], encoding)
        self.assert_refused(response, kind, 415, "/problems/unsupported-encoding", "Use gzip or deflate")

    @pytest.mark.parametrize(
        ("encoding", "pack"), [("gzip", bytes), ("gzip", zlib.compress), ("deflate", gzip.compress)]
    )
    def test_a_body_of_another_coding_is_a_bad_request(self, client, kind, encoding, pack):
        response = self.send(client, kind, pack(BODIES[kind][1]), encoding)
        self.assert_refused(response, kind, 400, "/problems/broken-body", f"The body is not {encoding}")

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    def test_a_compressed_body_cut_short_is_a_bad_request(self, client, kind, encoding):
        packed = PACKERS[encoding](BODIES[kind][1])
        for size in (1, 20, len(packed) - 1):
            response = self.send(client, kind, packed[:size], encoding)
            self.assert_refused(response, kind, 400, "/problems/broken-body", "cut short")

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    def test_a_bomb_is_refused(self, client, kind, encoding):
        bomb = PACKERS[encoding](BODIES[kind][1] + b" " * LIMIT * 100)
        assert len(bomb) < LIMIT
        response = self.send(client, kind, bomb, encoding)
        self.assert_refused(response, kind, 413, "about:blank", f"inflated body is larger than {LIMIT}")


def test_a_large_document_is_taken_apart_by_a_thread(client, monkeypatch):
    names: list[str] = []
    original = uploads._single_image
    monkeypatch.setattr(
        uploads,
        "_single_image",
        lambda: names.append(threading.current_thread().name) or original(),
    )
    noise = encode(draw_digit(3, (900, 900)), "BMP")
    large = json.dumps({"image": encoded(noise[:210_000])})
    client.post("/predict", data=large, content_type="application/json")
    client.post("/predict", json={"image": encoded(IMAGE)})
    client.post("/predict", input_stream=io.BytesIO(IMAGE), content_type="image/png")
    assert names[0].startswith("parsing")
    assert names[1] == "event-loop"


def test_a_batch_of_explanations_leaves_others_their_turn(client):
    app = client.application

    async def scenario() -> int:
        turns = 0
        data = form(*[IMAGE] * 5)
        post = asyncio.ensure_future(
            call(lambda: app.test_client().post("/predict/batch?explain=true", data=data))
        )
        while not post.done():
            await asyncio.sleep(0)
            turns += 1
        assert len(predicted(post.result())["predictions"]) == 5
        return turns

    async def call(function: Callable[[], TestResponse]) -> TestResponse:
        return await InGreenlet(function)

    explained = run_alone(scenario())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.api.predict.explanation", lambda: "no")
        plain = run_alone(scenario())
    assert explained >= plain + 3
