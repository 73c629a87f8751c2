"""Predictions by HTTP, tested on the application itself with real images."""

import io
import re

import pytest
from PIL import Image

from tests.drawing import digit_png, draw_digit, encode
from tests.service.tiny_app import assert_problem, form, form_of


class TestPredict:
    def test_a_form_gets_the_answer_of_the_interface(self, client):
        response = client.post("/predict", data=form(digit_png(3)))
        assert response.status_code == 200
        answer = response.json
        assert list(answer) == ["digit", "confidence", "probabilities", "accepted", "model"]
        assert answer["digit"] in range(10)
        assert len(answer["probabilities"]) == 10
        assert sum(answer["probabilities"]) == pytest.approx(1)
        assert answer["confidence"] == max(answer["probabilities"])
        assert answer["accepted"] is True
        assert answer["model"]["name"] == "tiny"
        assert re.fullmatch("[0-9a-f]{12}", answer["model"]["version"])

    @pytest.mark.parametrize(
        "content_type", ["image/png", "image/jpeg", "image/*", "application/octet-stream"]
    )
    def test_a_raw_body_gets_the_same_answer_as_a_form(self, client, content_type):
        raw = client.post("/predict", data=digit_png(3), content_type=content_type)
        assert raw.json == client.post("/predict", data=form(digit_png(3))).json

    def test_a_model_can_be_named(self, client):
        response = client.post("/predict?model=other", data=form(digit_png(3)))
        assert response.json["model"]["name"] == "other"

    def test_an_unknown_model_is_not_found(self, client):
        response = client.post("/predict?model=none", data=form(digit_png(3)))
        assert_problem(response, 404, "/problems/unknown-model", "Loaded are: other, tiny")

    def test_of_several_parts_the_first_is_taken(self, client):
        response = client.post("/predict", data=form(digit_png(3), digit_png(8)))
        assert response.json == client.post("/predict", data=form(digit_png(3))).json

    def test_an_empty_body_holds_no_image(self, client):
        assert_problem(client.post("/predict"), 400, "/problems/missing-image", "The body is empty")

    def test_an_empty_part_holds_no_image(self, client):
        assert_problem(
            client.post("/predict", **form_of(("file", "a.png", b""))),
            400,
            "/problems/empty-image",
            "0 bytes",
        )

    def test_a_part_of_another_name_is_pointed_out(self, client):
        response = client.post("/predict", data={"picture": (io.BytesIO(digit_png(3)), "a.png")})
        assert_problem(response, 400, "/problems/missing-image", "parts found are: picture")

    def test_a_part_without_a_file_name_is_an_image_too(self, client):
        response = client.post("/predict", **form_of(("file", None, digit_png(3))))
        assert response.json == client.post("/predict", data=form(digit_png(3))).json

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"rubbish",
            b"--other\r\n\r\n",
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
        ],
    )
    def test_a_malformed_form_is_a_bad_request(self, client, body):
        response = client.post("/predict", data=body, content_type="multipart/form-data; boundary=b")
        assert_problem(response, 400, "/problems/missing-image")

    def test_a_form_without_a_boundary_is_a_bad_request(self, client):
        response = client.post("/predict", data=digit_png(3), content_type="multipart/form-data")
        assert_problem(response, 400, "/problems/missing-image")

    @pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
    def test_another_content_type_is_unsupported(self, client, content_type):
        response = client.post("/predict", data=b"{}", content_type=content_type)
        assert_problem(response, 415, "/problems/unsupported-content-type", content_type)

    @pytest.mark.parametrize(
        ("image", "status", "type"),
        [
            (b"just text", 415, "unsupported-format"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported-format"),
            (digit_png(3)[:200], 422, "broken-image"),
            (encode(Image.new("L", (50, 50), 255)), 422, "blank-image"),
            (encode(Image.new("1", (9400, 9400))), 413, "too-many-pixels"),
        ],
    )
    def test_each_bad_image_gets_its_problem(self, client, image, status, type):
        assert_problem(client.post("/predict", data=form(image)), status, f"/problems/{type}")

    def test_a_large_body_is_refused(self, client):
        assert_problem(
            client.post("/predict", data=form(b"x" * 400_000)), 413, detail="larger than 300000 bytes"
        )

    def test_an_animated_gif_is_read_by_its_first_frame(self, client):
        buffer = io.BytesIO()
        draw_digit(3).save(buffer, "GIF", save_all=True, append_images=[draw_digit(8)])
        answer = client.post("/predict", data=form(buffer.getvalue())).json
        assert answer == client.post("/predict", data=form(encode(draw_digit(3), "GIF"))).json

    @pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
    def test_another_method_is_not_allowed(self, client, method):
        response = getattr(client, method)("/predict")
        assert_problem(response, 405)
        assert "POST" in response.headers["Allow"]


class TestBatch:
    def test_answers_come_in_the_order_sent(self, client):
        images = [digit_png(digit) for digit in (7, 1, 4)]
        batch = client.post("/predict/batch", data=form(*images)).json["predictions"]
        for image, answer in zip(images, batch, strict=True):
            single = client.post("/predict", data=form(image)).json
            assert answer["digit"] == single["digit"]
            assert answer["probabilities"] == pytest.approx(single["probabilities"], rel=1e-4)

    def test_an_image_that_fails_leaves_the_others_their_answers(self, client):
        batch = client.post(
            "/predict/batch",
            **form_of(("file", "a", b"text"), ("file", "b", digit_png(4)), ("file", "c", b"")),
        ).json["predictions"]
        assert batch[0]["error"]["status"] == 415
        assert batch[0]["error"]["type"] == "/problems/unsupported-format"
        assert batch[1]["digit"] in range(10)
        assert batch[2]["error"]["status"] == 400

    def test_nothing_but_failures_is_an_answer_too(self, client):
        response = client.post("/predict/batch", data=form(b"text", b"more"))
        assert response.status_code == 200
        assert [list(one) for one in response.json["predictions"]] == [["error"], ["error"]]

    def test_too_many_images_are_refused(self, client):
        response = client.post("/predict/batch", data=form(*[digit_png(1)] * 6))
        assert_problem(response, 413, "/problems/too-many-images", "There are 6 images; at most 5")

    def test_no_image_is_a_bad_request(self, client):
        assert_problem(client.post("/predict/batch"), 400, "/problems/missing-image")
