"""The HTTP contract, tested on the application itself with real images."""

import io
import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from prometheus_client import CollectorRegistry
from urllib3.filepost import encode_multipart_formdata

from service.api.problems import STATUSES, RequestError, describe, problem_type
from service.app import create_app
from service.config import Settings
from service.metrics import Metrics
from service.model.artifact import save
from service.preprocessing import ImageError
from service.registry import ModelError, ModelRegistry
from tests.drawing import digit_png, draw_digit, encode
from tests.tiny import tiny_content

SETTINGS = Settings(default_model="tiny", max_upload_bytes=300_000, max_batch_images=5)


@pytest.fixture
def client(tmp_path) -> FlaskClient:
    save(tmp_path / "tiny.npz", tiny_content())
    save(tmp_path / "other.npz", tiny_content(seed=2))
    return make_client(tmp_path)


def make_client(folder, settings: Settings = SETTINGS) -> FlaskClient:
    metrics = Metrics(CollectorRegistry())
    models = ModelRegistry(folder, settings.default_model, metrics.model_changed, metrics.model_load_failed)
    models.refresh()
    return create_app(settings, models, metrics).test_client()


def form(*images: bytes) -> dict[str, Any]:
    return {"file": [(io.BytesIO(image), f"{index}.png") for index, image in enumerate(images)]}


def form_of(*parts: tuple[str, str | None, bytes]) -> dict[str, Any]:
    """Return a form with parts (name, file name, content) as other clients write it."""
    fields = [(name, content if file is None else (file, content)) for name, file, content in parts]
    data, content_type = encode_multipart_formdata(fields)
    return {"data": data, "content_type": content_type}


def assert_problem(response: Any, status: int, type: str = "about:blank", detail: str = "") -> dict[str, Any]:
    """Check that a response is a problem of this status and type; return it."""
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    problem = json.loads(response.data)
    assert problem["status"] == status
    assert problem["type"] == type
    assert problem["title"]
    assert re.search(detail, problem["detail"]), problem["detail"]
    assert problem["request_id"] == response.headers["X-Request-Id"]
    return problem


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


class TestModels:
    def test_all_models_are_listed(self, client):
        answer = client.get("/models").json
        assert answer["default"] == "tiny"
        assert [model["name"] for model in answer["models"]] == ["other", "tiny"]

    def test_a_model_is_described(self, client):
        model = client.get("/models/tiny").json
        assert model["input"] == {"height": 8, "width": 8}
        assert model["parameters"] == 64 * 6 + 6 + 6 * 10 + 10
        assert [layer["outputs"] for layer in model["layers"]] == [6, 10]
        assert model["trained_on"] == {"dataset": "drawn", "date": "2026-01-02"}
        assert model["metrics"] == {"accuracy": 0.99}
        assert model["sha256"].startswith(model["version"])

    def test_an_unknown_model_is_not_found(self, client):
        assert_problem(client.get("/models/none"), 404, "/problems/unknown-model")


class TestHealth:
    def test_alive_and_ready(self, client):
        assert client.get("/livez").json == {"status": "alive"}
        assert client.get("/readyz").json == {"status": "ready"}

    def test_without_a_model_it_lives_but_is_not_ready(self, tmp_path):
        client = make_client(tmp_path)
        assert client.get("/livez").status_code == 200
        for response in (client.get("/readyz"), client.post("/predict", data=form(digit_png(1)))):
            assert_problem(response, 503, "/problems/no-model", "not loaded yet")
            assert int(response.headers["Retry-After"]) > 0

    def test_while_draining_it_is_not_ready_but_still_answers(self, client):
        client.application.config["DRAINING"] = True
        assert_problem(client.get("/readyz"), 503, "/problems/no-model", "shutting down")
        assert client.post("/predict", data=form(digit_png(1))).status_code == 200


class TestEveryPath:
    @pytest.mark.parametrize(
        "path", ["/nothing", "/predict/", "/models/a/b", "/%00", "/..%2f..%2fetc/passwd"]
    )
    def test_an_unknown_path_is_a_problem_not_a_page(self, client, path):
        assert_problem(client.get(path), 404)

    def test_an_unexpected_error_shows_nothing_of_itself(self, client, monkeypatch, caplog):
        def fail(*arguments):
            raise RuntimeError("secret detail")

        monkeypatch.setattr("service.prediction.outcome.read_grey", fail)
        problem = assert_problem(client.post("/predict", data=form(digit_png(1))), 500)
        assert "secret" not in json.dumps(problem)
        assert "secret detail" in caplog.text

    def test_a_given_request_id_comes_back(self, client):
        assert client.get("/livez", headers={"X-Request-Id": "abc-1.2"}).headers["X-Request-Id"] == "abc-1.2"

    @pytest.mark.parametrize("given", ["", "a b", 'x"y', "x" * 65, "é"])
    def test_a_request_id_that_could_do_harm_is_replaced(self, client, given):
        made = client.get("/livez", headers={"X-Request-Id": given}).headers["X-Request-Id"]
        assert re.fullmatch("[0-9a-f]{32}", made)

    def test_content_is_not_to_be_guessed(self, client):
        assert client.get("/livez").headers["X-Content-Type-Options"] == "nosniff"


def families(error: type[Exception]) -> list[type[Exception]]:
    return [cls for child in error.__subclasses__() for cls in (child, *families(child))]


@pytest.mark.parametrize("error", families(ImageError) + families(ModelError) + families(RequestError))
def test_every_error_of_the_service_has_a_status_and_a_title(error):
    problem = describe(error("what to do"))
    assert problem["status"] == STATUSES[error]
    assert problem["title"].endswith(".")
    assert problem["detail"] == "what to do"
    assert re.fullmatch(r"/problems/[a-z-]+", problem_type(error))


class TestMetrics:
    def value(self, client: FlaskClient, sample: str) -> float:
        for line in client.get("/metrics").text.splitlines():
            if line.startswith(sample + " "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def test_requests_are_counted_by_route_and_status(self, client):
        client.post("/predict", data=form(digit_png(1)))
        client.post("/predict", data=form(b"text"))
        client.get("/models/tiny")
        count = 'http_requests_total{method="%s",route="%s",status="%s"}'
        assert self.value(client, count % ("POST", "/predict", 200)) == 1
        assert self.value(client, count % ("POST", "/predict", 415)) == 1
        assert self.value(client, count % ("GET", "/models/<name>", 200)) == 1

    def test_what_clients_invent_is_one_label_value(self, client):
        for path in ("/a", "/b", "/c?d=e"):
            client.open(path, method="BREW")
        text = client.get("/metrics").text
        assert 'method="other",route="other",status="404"} 3.0' in text
        assert "BREW" not in text

    def test_predictions_are_counted_by_digit_from_the_start(self, client):
        assert client.get("/metrics").text.count('digits_predictions_total{digit="') == 20
        digit = client.post("/predict", data=form(digit_png(1))).json["digit"]
        assert self.value(client, f'digits_predictions_total{{digit="{digit}",model="tiny"}}') == 1

    def test_rejected_images_are_counted_by_reason(self, client):
        client.post("/predict/batch", data=form(b"text", b"more text", digit_png(2)))
        assert self.value(client, 'digits_image_rejections_total{reason="unsupported-format"}') == 2

    def test_the_version_served_is_shown(self, client):
        version = client.get("/models/tiny").json["version"]
        assert self.value(client, f'digits_model_info{{model="tiny",version="{version}"}}') == 1

    def test_nothing_stays_in_flight(self, client):
        client.post("/predict", data=form(b"text"))
        assert self.value(client, "http_requests_in_flight") == 0  # a scrape does not count itself
