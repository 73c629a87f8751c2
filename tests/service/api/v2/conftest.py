"""The protocol's own client, on the shared service."""

from collections.abc import Iterator

import pytest
import tritonclient.http as triton

from tests.serving import Server


@pytest.fixture
def client(service: Server) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(service.url.removeprefix("http://"))
    yield client
    client.close()
