"""Reading a page takes at most the memory that is stated before it begins."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.drawing import encode
from tests.serving import MODELS, PROJECT

MEBIBYTE = 1024 * 1024
# Prints by how much the resident memory grew at its peak, and what was stated. A small page comes first:
# code, tables and the network's own rows are not the page's.
MEASURE = """
import sys
from pathlib import Path
from service.model.artifact import load
from service.model.classifier import Classifier
from service.preprocessing import open_image
from service.reading import READING_SIDE, read_file, reading_bytes
from tests.service.preprocessing.decoding_peak import resident

classifier = Classifier(load(Path(sys.argv[1])))
small, large = (Path(each).read_bytes() for each in sys.argv[2:])
read_file(open_image(small, working_side=READING_SIDE), classifier)
Path("/proc/self/clear_refs").write_text("5")
before = resident("VmRSS")
opened = open_image(large, working_side=READING_SIDE)
stated = reading_bytes(opened)
read_file(opened, classifier)
print(resident("VmHWM") - before, stated)
"""


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_page_takes_at_most_the_stated_memory(tmp_path: Path, mode: str) -> None:
    rng = np.random.default_rng(0)
    for name, side in (("small", 200), ("large", 1020)):
        page = Image.fromarray(rng.normal(200, 9, (side, side)).clip(0, 255).astype(np.uint8))
        for place in range(20, side - 60, 90):
            page.paste(20, (place, place, place + 12, place + 50))
        (tmp_path / name).write_bytes(encode(page.convert(mode), compress_level=1))
    command = [sys.executable, "-c", MEASURE, str(MODELS / "mnist-28x28.npz")]
    done = subprocess.run(
        [*command, str(tmp_path / "small"), str(tmp_path / "large")],
        cwd=PROJECT,
        capture_output=True,
        check=True,
        timeout=120,
        text=True,
    )
    peak, stated = map(int, done.stdout.split())
    print(f"\n{mode}: {peak / MEBIBYTE:.1f} of {stated / MEBIBYTE:.1f} MiB", end="")
    assert peak <= stated
    assert stated <= 4 * peak + 8 * MEBIBYTE
