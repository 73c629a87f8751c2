"""A client of the application, without a server."""

import pytest
from flask.testing import FlaskClient

from service.model.artifact import save
from tests.service.tiny_app import make_client
from tests.tiny import tiny_content


@pytest.fixture
def client(tmp_path) -> FlaskClient:
    save(tmp_path / "tiny.npz", tiny_content())
    save(tmp_path / "other.npz", tiny_content(seed=2))
    return make_client(tmp_path)
