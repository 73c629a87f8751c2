"""Answers for image files without a server, with the fields of `POST /predict`.

file -> readings -> Classifier -> several digits? -> the fields of the service's answer -> a line or JSON
"""

import json
from pathlib import Path
from typing import Any

from service.model.answering import Picture, answer
from service.model.classifier import Classifier
from service.preprocessing import ImageError, decode, read_grey
from service.reading.several import holds_several, may_hold_several, with_several


def answer_file(classifier: Classifier, path: Path) -> dict[str, Any]:
    """Return the answer for an image file: the service's fields and `file`, or `file` and `error`."""
    geometry = classifier.artifact.geometry
    try:
        grey = decode(path.read_bytes())
        ((found, reading),) = answer(classifier, [Picture(grey, read_grey(grey, geometry))])
    except ImageError as error:
        return {"file": str(path), "error": str(error)}
    except OSError as error:
        return {"file": str(path), "error": f"It cannot be read: {error.strerror}."}
    if may_hold_several(reading, found, geometry):
        found = with_several(found, holds_several(grey, classifier))
    fields: dict[str, Any] = {
        "file": str(path),
        "digit": found.digit,
        "confidence": found.confidence,
        "probabilities": found.probabilities,
        "accepted": found.accepted,
        "model": {"name": classifier.name, "version": classifier.artifact.version},
    }
    if found.reason:
        fields["reason"] = found.reason
    return fields


def answer_text(answer: dict[str, Any]) -> str:
    """Return an answer as one line: file, digit, confidence, and why it is not accepted."""
    if "error" in answer:
        return f"{answer['file']}: error: {answer['error']}"
    refused = f", not accepted: {answer['reason']}" if "reason" in answer else ""
    return f"{answer['file']}: {answer['digit']} ({100 * answer['confidence']:.2f} %{refused})"


def answer_json(answer: dict[str, Any]) -> str:
    """Return an answer as one line of JSON."""
    return json.dumps(answer)
