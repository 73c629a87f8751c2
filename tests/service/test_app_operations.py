"""Models, probes, errors and metrics, tested on the application itself."""

import json
import re

import pytest
from flask.testing import FlaskClient

from service.api.problems import STATUSES, RequestError, describe, problem_type
from service.preprocessing import ImageError
from service.registry import ModelError
from tests.drawing import digit_png
from tests.service.tiny_app import assert_problem, form, make_client


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
