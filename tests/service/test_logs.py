"""Log lines are JSON objects, whatever the values contain."""

import json
import logging
import sys

import pytest

from service.logs import JsonFormatter


def line(message: str, *arguments: object, error: bool = False, **extra: object) -> dict:
    exc_info = sys.exc_info() if error else None
    record = logging.LogRecord("service", logging.WARNING, "file", 1, message, arguments, exc_info)
    vars(record).update(extra)
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_line_has_time_level_message_and_what_was_passed_along():
    written = line("model %s", "loaded", version="abc", milliseconds=1.5)
    assert written["message"] == "model loaded"
    assert written["level"] == "warning"
    assert written["version"] == "abc"
    assert written["milliseconds"] == 1.5
    assert written["time"].endswith("+00:00")


@pytest.mark.parametrize("value", ['"', "\n", "\\", "}{", "\x00\x1b[31m", "\ud800", "é", '", "level": "x'])
def test_hostile_values_stay_inside_their_strings(value):
    written = line("request", path=value)
    assert written["path"] == value
    assert written["level"] == "warning"


def test_a_traceback_stays_on_the_line():
    try:
        raise RuntimeError("inside")
    except RuntimeError:
        written = line("unexpected error", error=True)
    assert "RuntimeError: inside" in written["traceback"]


def test_what_json_does_not_know_is_written_as_text():
    assert line("x", value={1, 2}.__class__)["value"] == "<class 'set'>"
