"""What the rejector learns from beside handwriting, generated once and kept on disk.

    seed, digits to take pieces from -> is it kept? -> read
                                     -> drawn digits, unusual digits, outliers -> kept

A network and its refit learn from the same pictures, and so does the next training with the same settings.
Files are in $XDG_CACHE_HOME/digits, or ~/.cache/digits; they can be removed at any time.
"""

import contextlib
import hashlib
import io
import os
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL

import service.preprocessing
from service.model.artifact import save
from service.preprocessing import Geometry
from trainer.data import Examples
from trainer.stages import stage
from trainer.synthetic.digits import draw_digits
from trainer.synthetic.outliers import make_outliers
from trainer.synthetic.unusual import draw_unusual

OUTLIERS_PER_DRAWN = 4  # drawn digits add styles that the training digits lack
OUTLIERS_PER_UNUSUAL = 3  # unusual digits add forms and pens
PART = 1000  # outliers generated at a time, to bound the memory
KEPT_FILES = 4
STREAM = 0x6F75746C696572  # separates these pictures' random stream from others
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)  # not there, not whole
CODE = (Path(service.preprocessing.__file__).parent, Path(__file__).parent)


class Material(NamedTuple):
    """Generated pictures: digits, and outliers, (n, side, side) float32 in [0, 1]."""

    digits: Examples
    outliers: np.ndarray


def generated(outliers: int, geometry: Geometry, pieces: Examples, seed: int) -> Material:
    """Return `outliers` pictures of non-digits, and 7/12 as many digits, drawn and unusual.

    pieces: handwriting of which some outliers are made. The same arguments give the same pictures.
    """
    path = _folder() / f"{_key(outliers, geometry, pieces, seed)}.npz"
    with contextlib.suppress(*UNREADABLE), path.open("rb") as file, np.load(file) as kept:
        return Material(Examples(kept["pictures"], kept["labels"]), kept["outliers"])
    made = _generate(outliers, geometry, pieces, np.random.default_rng((seed, STREAM)))
    content = io.BytesIO()
    np.savez_compressed(
        content, pictures=made.digits.pictures, labels=made.digits.labels, outliers=made.outliers
    )
    with contextlib.suppress(OSError):  # a read-only or full disk: they will be generated again
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, content.getvalue())
        files = sorted(path.parent.glob("*.npz"), key=lambda file: file.stat().st_mtime)
        for old in files[:-KEPT_FILES]:
            old.unlink(missing_ok=True)
    return made


def _generate(count: int, geometry: Geometry, pieces: Examples, rng: np.random.Generator) -> Material:
    with stage("drawing digits for the rejector"):
        digits = draw_digits(count // OUTLIERS_PER_DRAWN, geometry, rng)
        digits += draw_unusual(count // OUTLIERS_PER_UNUSUAL, geometry, rng)
    outliers = np.empty((count, geometry.side, geometry.side), np.float32)
    with stage("drawing what is not a digit", count) as advance:
        for part in np.split(outliers, range(PART, count, PART)):
            part[...] = make_outliers(len(part), geometry, pieces, rng).reshape(part.shape)
            advance(len(part))
    return Material(digits, outliers)


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "digits"


def _key(outliers: int, geometry: Geometry, pieces: Examples, seed: int) -> str:
    """Return a name for what the arguments, the code and the libraries make."""
    settings = (outliers, tuple(geometry), seed, OUTLIERS_PER_DRAWN, OUTLIERS_PER_UNUSUAL)
    digest = hashlib.sha256(repr((settings, np.__version__, PIL.__version__)).encode())
    for folder in CODE:
        for source in sorted(folder.rglob("*.py")):
            digest.update(source.read_bytes())
    digest.update(np.ascontiguousarray(pieces.pictures).tobytes())
    digest.update(np.ascontiguousarray(pieces.labels).tobytes())
    return digest.hexdigest()[:32]
