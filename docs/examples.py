"""The pictures in examples/, drawn by this code: the README, the page and the tests send them.

    python -m docs.examples examples

recorded strokes -> a 7, a crossed 7, a letter, a number       -> PNG
                 -> a 5 on ruled paper, in the shadow of a hand -> JPEG

The page replays the strokes of the crossed 7, the number and the letter, and lays the photograph on its
sheet.
"""

import io
import json
import sys
from pathlib import Path

from PIL import Image

from docs.pictures import Strokes, encoded, photograph, recorded, written
from service.config import PROJECT

SIDE = 256  # pixels, of a drawing
PHOTOGRAPH_SIDE = 480
BOX = (0.2, 0.2, 0.6)
STATIC = PROJECT / "service/static"


def main(folder: Path) -> None:
    """Write the pictures into `folder`, and the photograph beside the page too."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in examples().items():
        (folder / name).write_bytes(content)
    (STATIC / "photograph.jpg").write_bytes((folder / "photograph.jpg").read_bytes())


def examples() -> dict[str, bytes]:
    """Return the example files by name."""
    replayed = {
        each["name"]: each["strokes"]
        for each in json.loads((STATIC / "examples.json").read_text())
        if "strokes" in each
    }
    return {
        "seven.png": _drawn(recorded(7, "plain")),
        "crossed-seven.png": _drawn(replayed["A crossed 7"]),
        "letter.png": _drawn(replayed["A letter"]),
        "number.png": _drawn(replayed["A number"]),
        "photograph.jpg": _photographed(recorded(5, "one stroke")),
    }


def _drawn(strokes: Strokes) -> bytes:
    picture = written(SIDE, 255, 0, "L", pen=0.06, box=BOX, strokes=strokes)
    return encoded(picture.quantize(32), optimize=True)


def _photographed(strokes: Strokes) -> bytes:
    picture = Image.open(io.BytesIO(photograph(strokes)))
    small = picture.resize((PHOTOGRAPH_SIDE, PHOTOGRAPH_SIDE), Image.Resampling.BOX)
    return encoded(small, "JPEG", quality=75)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
