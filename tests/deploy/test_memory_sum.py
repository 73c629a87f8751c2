"""The memory that the shipped settings allow is within the limit that is shipped beside them."""

import yaml

from service.asgi import HELD_BODIES
from service.config import Settings
from tests.serving import PROJECT

MEBIBYTE = 1024 * 1024
IDLE = 96 * MEBIBYTE  # two workers and the master at rest; `python -m tests.deploy.memory` measures it
SPARE = 80 * MEBIBYTE  # copies of a body while it is taken apart, and what allocators keep
BASE = PROJECT / "deploy" / "base"
UNITS = {"Mi": MEBIBYTE}


def quantity(text: str) -> int:
    """Return the bytes of a Kubernetes quantity in mebibytes."""
    return int(text[:-2]) * UNITS[text[-2:]]


def test_the_memory_limit_covers_what_the_settings_allow():
    lines = (BASE / "config.env").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    settings = Settings.from_env({name: value for name, value in values.items() if "PROMETHEUS" not in name})
    deployment = yaml.safe_load((BASE / "deployment" / "deployment.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    limit = quantity(pod["containers"][0]["resources"]["limits"]["memory"])
    tmpfs = quantity(pod["volumes"][0]["emptyDir"]["sizeLimit"])
    bodies = settings.workers * HELD_BODIES * settings.max_upload_bytes
    assert IDLE + bodies + settings.max_decoding_bytes + tmpfs + SPARE <= limit
