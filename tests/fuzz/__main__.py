"""Coverage-guided fuzzing of everything that takes bytes from strangers.

    python3 -m venv .venv-fuzz && .venv-fuzz/bin/pip install -r tests/requirements-fuzz.txt
    .venv-fuzz/bin/python -m tests.fuzz images fuzz/images -max_total_time=1800

    TARGET: images | forms | tensors | models; then a folder that keeps what it finds, and libFuzzer's options
    seeds -> atheris mutates -> the application itself, no sockets -> an answer below 500 within two seconds

It stops at the first input that gets a 5xx, an exception, two seconds of processor time or a
gibibyte of memory, and writes that input to a file: it belongs into tests/hostile/ then.
"""

import json
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import atheris

# Instrumented comparisons never let go of their results: no harm for flags, much for arrays. The
# modules named in `exclude` compare arrays.
with atheris.instrument_imports(
    include=["PIL", "service", "werkzeug"],
    exclude=[
        *(
            "service.preprocessing.cleaning",
            "service.preprocessing.components",
            "service.model.explanation",
            "service.preprocessing.handprint",
        ),
        *(
            "service.preprocessing.ink",
            "service.model.network",
            "service.preprocessing.normalization",
            "service.preprocessing.paper",
        ),
    ],
):
    from prometheus_client import CollectorRegistry

    from service.app import create_app
    from service.config import Settings
    from service.metrics import Metrics
    from service.model.artifact import parse, save
    from service.model.classifier import Classifier
    from service.model.errors import ArtifactError
    from service.registry import ModelRegistry

from tests.drawing import digit_png
from tests.fuzz.mutations import seed_files, with_right_checksums
from tests.tiny import tiny_content

LONGEST_SECONDS = 2.0  # of processor time, so that a busy machine raises no alarm
LARGEST_BYTES = 20_000
BOUNDARY = "fuzz"


class SlowInput(Exception):
    """An input took too long."""


def ask(path: str, content_type: str) -> Callable[[bytes], None]:
    """Return a target that posts its bytes to the application and looks at the status."""
    settings = Settings(default_model="tiny")
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "tiny.npz", tiny_content())
        models = ModelRegistry(Path(folder), "tiny")
        models.refresh()
    client = create_app(settings, models, Metrics(CollectorRegistry())).test_client()

    def target(data: bytes) -> None:
        response = client.post(path, data=data, content_type=content_type)
        assert response.status_code < 500, f"{response.status_code}: {response.text}"
        json.loads(response.data)

    return target


def load_model(data: bytes) -> None:
    """Load a model file as the service does."""
    try:
        classifier = Classifier(parse(data), "fuzzed")
        classifier.self_check()
    except ArtifactError:
        pass


def form_seeds() -> Iterator[bytes]:
    """Yield multipart bodies: one part, two, a text field, headers in odd places."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'.encode()
    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    yield head + digit_png(1)[:400] + end
    yield head + b"text" + b"\r\n" + head + b"" + end
    yield f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"\r\n\r\nx'.encode() + end
    yield head.replace(b"\r\n\r\n", b"\r\nContent-Type: image/png; charset=x\r\nX-A: b\r\n\r\n") + end


def tensor_seeds() -> Iterator[bytes]:
    """Yield requests of the Open Inference Protocol."""
    pixels = {"name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": [0.5] * 64}
    image = {"name": "image", "datatype": "BYTES", "shape": [1], "data": ["aGVsbG8="]}
    output = {"name": "probabilities", "parameters": {"classification": 3, "binary_data": True}}
    yield json.dumps({"inputs": [pixels]}).encode()
    yield json.dumps({"id": "a", "inputs": [image], "outputs": [output]}).encode()
    yield json.dumps({"inputs": [pixels | {"data": [[[0] * 8] * 8], "shape": [1, 8, 8]}]}).encode()


TARGETS: dict[str, tuple[Callable[[], Callable[[bytes], None]], Callable[[], Iterator[bytes]]]] = {
    "images": (lambda: ask("/predict", "image/png"), lambda: iter(seed_files().values())),
    "forms": (lambda: ask("/predict/batch", f"multipart/form-data; boundary={BOUNDARY}"), form_seeds),
    "tensors": (lambda: ask("/v2/models/tiny/infer", "application/json"), tensor_seeds),
    "models": (lambda: load_model, lambda: iter([tiny_content()])),
}


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change an input as libFuzzer would, then correct the checksums of a PNG."""
    return with_right_checksums(atheris.Mutate(data, max_size))


def main() -> None:
    """Fuzz the target named on the command line; further arguments are libFuzzer's."""
    if len(sys.argv) < 3 or sys.argv[1] not in TARGETS:
        sys.exit(__doc__)
    make, seeds = TARGETS[sys.argv[1]]
    corpus = Path(sys.argv[2])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    logging.disable()
    warnings.simplefilter("ignore")
    target = make()

    def timed(data: bytes) -> None:
        started = time.process_time()
        target(data)
        if (seconds := time.process_time() - started) > LONGEST_SECONDS:
            raise SlowInput(f"{seconds:.1f} s")

    options = [f"-max_len={LARGEST_BYTES}", "-rss_limit_mb=1024", "-timeout=60", "-print_final_stats=1"]
    arguments = [sys.argv[0], *options, *sys.argv[3:], str(corpus)]
    atheris.Setup(arguments, timed, **({"custom_mutator": mutate} if sys.argv[1] == "images" else {}))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
