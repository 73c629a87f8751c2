"""The log's fields, as docs/operating.md compares them with OpenTelemetry's, are those of real lines."""

import re
from typing import Any

import requests

from tests.drawing import digit_png
from tests.serving import PROJECT, Server, wait_until

ANSWER = {"digit", "digits", "images", "model_version"}


def line_of(service: Server, image: bytes, request_id: str) -> dict[str, Any]:
    headers = {"X-Request-Id": request_id, "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    requests.post(f"{service.url}/predict", files={"file": image}, headers=headers, timeout=30)

    def found() -> list[dict[str, Any]]:
        return [line for line in service.log_lines() if line.get("request_id") == request_id]

    wait_until(lambda: bool(found()), "the line of the request")
    return found()[0]


def test_documented_log_fields_are_those_of_real_lines(service: Server) -> None:
    answered = line_of(service, digit_png(7), "log-fields-answered")
    refused = line_of(service, b"no picture", "log-fields-refused")
    section = (PROJECT / "docs/operating.md").read_text().split("## Log fields")[1].split("\n## ")[0]
    table = {
        name for row in re.findall(r"^\| (`.+?) \|", section, re.M) for name in re.findall(r"`(\w+)`", row)
    }
    named = set(re.findall(r"`([a-z_]+)`", section))
    assert table - {"traceback"} <= set(refused)
    assert set(answered) | set(refused) <= named
    assert set(answered) - ANSWER == set(refused) - {"problem"}
