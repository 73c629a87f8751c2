"""POST /read: all digits of one picture, in the form that the interface fixes."""

import base64

import pytest
import requests

from tests.drawing import draw_digit, encode
from tests.service.reading.pages import Page
from tests.serving import Server

PAGE = Page(620, 260).write("1275", left=40, top=40).write("806", left=60, top=150)
PNG = encode(PAGE.image())


def ask(service: Server, path: str = "/read", **request: object) -> requests.Response:
    return requests.post(service.url + path, timeout=30, **request)


def test_a_page_gets_the_answer_of_the_interface(service: Server) -> None:
    response = ask(service, files={"file": PNG})
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ["text", "lines", "digits", "model"]
    assert answer["text"] == "1275\n806"
    assert answer["lines"] == ["1275", "806"]
    assert answer["model"]["name"] == "mnist-28x28"
    assert len(answer["digits"]) == 7
    for found, digit, box in zip(answer["digits"], "1275806", PAGE.boxes, strict=True):
        assert list(found) == ["digit", "confidence", "accepted", "box"]
        assert found["digit"] == int(digit)
        assert found["accepted"] is True
        assert 0.5 < found["confidence"] <= 1
        assert all(abs(one - other) <= 1 for one, other in zip(found["box"], box, strict=True))


def test_every_kind_of_body_gets_the_same_answer(service: Server) -> None:
    form = ask(service, files={"file": PNG}).json()
    assert ask(service, data=PNG, headers={"Content-Type": "image/png"}).json() == form
    assert ask(service, json={"image": base64.b64encode(PNG).decode()}).json() == form


def test_what_is_not_accepted_is_listed_and_not_read(service: Server) -> None:
    page = Page(420, 160).write("25", 30, 50)
    page.line([(230, 50), (260, 110)]).line([(260, 50), (230, 110)]).write("7", 300, 50)
    answer = ask(service, files={"file": encode(page.image())}).json()
    assert answer["text"] == answer["lines"][0] == "257"
    assert [each["accepted"] for each in answer["digits"]] == [True, True, False, True]


def test_a_page_without_digits_has_no_text(service: Server) -> None:
    page = Page(400, 200).line([(20, 30), (380, 160), (200, 180), (390, 20)], width=3)
    answer = ask(service, files={"file": encode(page.image())}).json()
    assert (answer["text"], answer["lines"]) == ("", [])


def test_a_model_can_be_named(service: Server) -> None:
    answer = ask(service, "/read?model=digits-8x8", files={"file": PNG}).json()
    assert answer["model"]["name"] == "digits-8x8"
    assert ask(service, "/read?model=none", files={"file": PNG}).status_code == 404


@pytest.mark.parametrize(
    ("image", "status", "kind"),
    [
        (b"just text", 415, "unsupported-format"),
        (b"", 400, "empty-image"),
        (PNG[:200], 422, "broken-image"),
        (encode(draw_digit(1, ink=255)), 422, "blank-image"),
    ],
)
def test_each_bad_image_gets_its_problem(service: Server, image: bytes, status: int, kind: str) -> None:
    counted = service.metric("digits_image_rejections_total", reason=kind)
    response = ask(service, files={"file": image})
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["type"] == f"/problems/{kind}"
    assert service.metric("digits_image_rejections_total", reason=kind) == counted + 1


def test_a_request_without_an_image_is_a_bad_one(service: Server) -> None:
    assert ask(service).status_code == 400
    assert requests.get(f"{service.url}/read", timeout=30).status_code == 405


def test_a_number_is_no_digit_to_predict(service: Server) -> None:
    answer = service.predict(encode(Page(360, 160).write("508", 40, 50).image())).json()
    assert (answer["accepted"], answer["reason"]) == (False, "several_digits")
    assert "reason" not in service.predict(encode(draw_digit(7))).json()
