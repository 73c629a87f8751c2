"""Which digit a picture shows, from the names of its folders or of its file.

relative paths -> one way of reading them that gives every picture a label -> labels

If several ways would work, none is used. A network trained on indices mistaken for labels would be wrong
about everything, and its figures would look fine.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import PurePath

from trainer.errors import TrainerError

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WORD = "|".join(WORDS)
# 7, 07, seven, digit_7, class-seven, Number 7 ...
FOLDER = re.compile(rf"(?:(?:digit|digits|class|label|number|num)[ _-]?)?(?:0?(\d)|({WORD}))", re.IGNORECASE)
TOKEN = re.compile(r"[A-Za-z]+|\d+")
NAME = re.compile(rf"(\d)|({WORD})", re.IGNORECASE)
POSITIONS = (0, -1, 1, 2, 3, -2, -3)  # of a label among the tokens of a name
REMEDY = "Put the pictures into folders named 0 ... 9, or add a labels.csv with the columns file and label"


def folder_label(name: str) -> int | None:
    """Return the digit that a folder's name states; None if it states none."""
    return _digit(FOLDER, name)


def _digit(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.fullmatch(text)
    if not found:
        return None
    return int(found[1]) if found[1] else WORDS.index(found[2].lower())


def labels_of_folders(paths: Sequence[PurePath]) -> list[int | None] | None:
    """Return a list of each picture's label, from the folders above it; None if no picture has one.

    paths: relative to the folder with the data. A picture outside the labeled folders has the label None.
    Raises TrainerError if folders of one path state several digits.
    """
    labels: list[int | None] = []
    for path in paths:
        stated = {name: digit for name in path.parts[:-1] if (digit := folder_label(name)) is not None}
        if len(set(stated.values())) > 1:
            first, second = list(stated.values())[:2]
            raise TrainerError(f"{path} can be read as a {first} or as a {second}, by its folders. {REMEDY}")
        labels.append(next(iter(stated.values()), None))
    return labels if any(label is not None for label in labels) else None


def labels_of_names(paths: Sequence[PurePath]) -> tuple[list[int], str]:
    """Return the label of each picture from its file name, and the part of the names that states it.

    Names are such as 7_anna.png or scan-012_seven.png. Raises TrainerError unless exactly one place states
    a digit in all of them.
    """
    tokens = [TOKEN.findall(path.stem) for path in paths]
    readings: dict[tuple[int, ...], int] = {}  # labels -> position
    for position in POSITIONS:
        read = _reader(position)
        labels = [read(words) for words in tokens]
        if all(label is not None for label in labels):
            readings.setdefault(tuple(label for label in labels if label is not None), position)
    if len(readings) == 1:
        ((found, position),) = readings.items()
        return list(found), f"{_place(position)} of the file names: {paths[0]} is a {found[0]}"
    if not readings:
        without = next((path for path, words in zip(paths, tokens, strict=True) if not _any(words)), paths[0])
        raise TrainerError(f"no place in the file names states the digit in all of them: {without}. {REMEDY}")
    one, other = list(readings)[:2]
    index = next(i for i in range(len(paths)) if one[i] != other[i])
    where = [_place(readings[labels]) for labels in (one, other)]
    raise TrainerError(
        f"{paths[index]} can be read as a {one[index]} ({where[0]}) or as a {other[index]} ({where[1]}), and "
        f"so can all {len(paths)} names. {REMEDY}"
    )


def _reader(position: int) -> Callable[[Sequence[str]], int | None]:
    """Return the function that reads the label at a position of a name's tokens."""

    def read(words: Sequence[str]) -> int | None:
        if not -len(words) <= position < len(words):
            return None
        return _digit(NAME, words[position])

    return read


def _any(words: Sequence[str]) -> bool:
    return any(_digit(NAME, word) is not None for word in words)


def _place(position: int) -> str:
    """Return a position as words."""
    number = position + 1 if position >= 0 else -position
    ordinal = {1: "first", 2: "second", 3: "third", 4: "fourth"}[number]
    if position == -1:
        return "last part"
    return f"{ordinal} part" if position >= 0 else f"{ordinal} part from the end"
