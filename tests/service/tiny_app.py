"""The application over two tiny models, the bodies that its tests send, and the form of its errors."""

import io
import json
import re
from typing import Any

from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry
from urllib3.filepost import encode_multipart_formdata

from service.app import create_app
from service.config import Settings
from service.metrics import Metrics
from service.registry import ModelRegistry

SETTINGS = Settings(default_model="tiny", max_upload_bytes=300_000, max_batch_images=5)


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
