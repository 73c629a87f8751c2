"""How well numbers of several digits are read, from a folder of pictures or composed from a data set.

427_13.png, or digits -> compose_number -> service.reading -> text -> read whole, wrong or doubtful
"""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from service.model.classifier import Classifier
from service.preprocessing import ImageError, UnsupportedFormatError, open_image
from service.reading import READING_SIDE, Digit, read, read_file, text_of
from trainer.data import Examples
from trainer.errors import TrainerError
from trainer.stages import staged
from trainer.synthetic import FAMILIES, compose_number

EACH = 500  # numbers composed for each family
DIGITS = (2, 8)  # the fewest and the most digits of a composed number
NUMBER = re.compile(r"\d+")


class Reading(NamedTuple):
    """How many pictures of numbers there were, and shares of them in [0, 1].

    whole: read correctly. wrong: read as another number, with every digit accepted. The rest are
    doubtful: something in them was not accepted, or nothing was found.
    """

    numbers: int
    whole: float
    wrong: float


def composed_readings(
    classifier: Classifier, examples: Examples, each: int | None = None, seed: int = 0, digits: int = 0
) -> dict[str, Reading]:
    """Return the readings of numbers composed of examples, `each` (default EACH) of every family.

    seed: decides which digits, where and on what paper. digits: how many each has; default: two to eight.
    """

    def composed(number: int, family: str) -> bool | None:
        rng = np.random.default_rng((seed, FAMILIES.index(family), number))
        count = digits or int(rng.integers(*DIGITS, endpoint=True))
        chosen = rng.integers(0, len(examples), count)
        page = compose_number([examples.pictures[one] for one in chosen], family, rng)
        truth = "".join(str(examples.labels[one]) for one in chosen)
        return is_read(truth, read(page.astype(np.float32), classifier))

    def family_readings(family: str) -> Reading:
        with ThreadPoolExecutor(2) as pool:
            count = each or EACH
            outcomes = pool.map(lambda number: composed(number, family), range(count))
            return shares_of(staged(family, outcomes, count))

    return {family: family_readings(family) for family in FAMILIES}


def folder_readings(classifier: Classifier, folder: Path) -> dict[str, Reading]:
    """Return the readings of the pictures below a folder, by the folder that holds them.

    The name of a picture begins with its number: 427_13.png. Files that are not pictures, or have no number,
    are skipped; a picture that cannot be read is doubtful. Raises TrainerError if there is none.
    """
    found: dict[str, list[bool | None]] = {}
    for path, number in staged("pictures", list(_numbered(folder))):
        try:
            opened = open_image(path.read_bytes(), working_side=READING_SIDE)
            outcome = is_read(number, read_file(opened, classifier))
        except UnsupportedFormatError:
            continue
        except ImageError:
            outcome = None
        found.setdefault(path.parent.name, []).append(outcome)
    if not found:
        raise TrainerError(
            f"{folder} holds no picture with a number in its name, such as 427_13.png or 427.jpg"
        )
    return {name: shares_of(outcomes) for name, outcomes in found.items()}


def _numbered(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files below a folder whose name begins with a number, and that number."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        number = NUMBER.match(path.name)
        if number:
            yield path, number[0]


def is_read(truth: str, rows: list[list[Digit]]) -> bool | None:
    """Return whether the digits read are those of `truth`, None if some are doubtful or there are none."""
    digits = [one for row in rows for one in row]
    text = text_of(digits)
    if text == truth:
        return True
    return None if not text or not all(one.prediction.accepted for one in digits) else False


def shares_of(outcomes: Iterable[bool | None]) -> Reading:
    """Return the shares of outcomes, at least one."""
    listed = list(outcomes)
    return Reading(len(listed), listed.count(True) / len(listed), listed.count(False) / len(listed))


def readings_text(readings: dict[str, Reading], title: str) -> str:
    """Return a table of readings by family or folder."""
    lines = [title, "", f"  {'numbers':<24}{'':>8}{'read whole':>14}{'wrong':>12}{'doubtful':>12}"]
    for name, one in readings.items():
        shares = f"{100 * one.whole:>12.2f} %{100 * one.wrong:>10.2f} %"
        lines.append(f"  {name:<24}{one.numbers:>8}{shares}{100 * (1 - one.whole - one.wrong):>10.2f} %")
    return "\n".join(lines)
