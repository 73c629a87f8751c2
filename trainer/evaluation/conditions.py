"""The same digits under other conditions: the cost of polarity, size, light, pen and camera.

    test pictures -> one condition -> encoded image -> readings -> classifier -> error and refusals

Nothing is trained on these pictures: they show what preprocessing and network tolerate.
"""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from service.model.answering import Picture, answer
from service.model.classifier import Classifier
from service.preprocessing import ImageError, decode, read_grey
from trainer.data import Examples
from trainer.stages import staged
from trainer.synthetic import on_paper

SHEET = 224  # side of the paper in pixels; digits are half as large
DIGIT = SHEET // 2
PART = 500  # pictures classified at a time
Condition = Callable[[Image.Image, np.random.Generator], Image.Image]


class Outcome(NamedTuple):
    """The result of one condition: shares of `images` pictures, in [0, 1].

    wrong: answered with another digit or not at all. refused: not accepted as a digit.
    """

    images: int
    wrong: float
    refused: float


def _unchanged(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture


def _inverted(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture.point(lambda value: 255 - value)


def _large(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture.resize((400, 400), Image.Resampling.BICUBIC)


def _on_paper(
    picture: Image.Image,
    rng: np.random.Generator,
    light: np.ndarray | float = 1.0,
    contrast: float = 0.8,
    grain: float = 0.0,
) -> Image.Image:
    """Put a digit in dark ink off center on paper.

    light: share of the brightness 220, in [0, 1], a number or (SHEET, 1) or (SHEET, SHEET). contrast: share
    of the light that ink absorbs. grain: standard deviation of the noise, of 255.
    """
    ink = np.zeros((SHEET, SHEET))
    top, left = rng.integers(4, SHEET - DIGIT - 4, 2)
    enlarged = picture.resize((DIGIT, DIGIT), Image.Resampling.BICUBIC)
    ink[top : top + DIGIT, left : left + DIGIT] = np.asarray(enlarged) / 255
    gray = on_paper(ink, 220 * light, contrast) + rng.normal(0, grain, ink.shape) * (grain > 0)
    return Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8))


def _gradient(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return _on_paper(picture, rng, np.linspace(1, 0.5, SHEET)[:, None])


def _shadow(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    place = np.add.outer(np.arange(SHEET), np.arange(SHEET) * rng.uniform(-1, 1)) - SHEET / 2
    return _on_paper(picture, rng, 1 - 0.45 / (1 + np.exp(-place / 6)))


def _pencil(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return _on_paper(picture, rng, contrast=0.25, grain=4)


def _thin(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    enlarged = picture.resize((DIGIT, DIGIT), Image.Resampling.BICUBIC)
    return _on_paper(enlarged.filter(ImageFilter.MinFilter(5)), rng)


def _thick(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    enlarged = picture.resize((DIGIT, DIGIT), Image.Resampling.BICUBIC)
    return _on_paper(enlarged.filter(ImageFilter.MaxFilter(7)), rng)


def _turned(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    enlarged = picture.resize((DIGIT, DIGIT), Image.Resampling.BICUBIC)
    return _on_paper(enlarged.rotate(rng.choice([-20, 20]), Image.Resampling.BICUBIC), rng)


def _small(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture.resize((16, 16), Image.Resampling.BOX)


CONDITIONS: dict[str, Condition] = {
    "as it is": _unchanged,
    "inverted": _inverted,
    "enlarged to 400 px": _large,
    "off center on a gray gradient": _gradient,
    "saved as JPEG": _unchanged,
    "reduced to 16 px": _small,
    "in a shadow's edge": _shadow,
    "pale pencil on grainy paper": _pencil,
    "thin pen": _thin,
    "thick pen": _thick,
    "turned by 20 degrees": _turned,
}


def try_conditions(classifier: Classifier, examples: Examples, seed: int = 0) -> dict[str, Outcome]:
    """Return the outcome of each of CONDITIONS on prepared examples; seed: of all random numbers."""
    return {
        name: try_condition(classifier, examples, name, np.random.SeedSequence((seed, number)))
        for number, name in enumerate(CONDITIONS)
    }


def try_condition(
    classifier: Classifier, examples: Examples, name: str, seed: np.random.SeedSequence
) -> Outcome:
    """Return the outcome of the condition called `name`.

    A picture that the service cannot read counts as wrong and refused.
    """
    geometry = classifier.artifact.geometry

    def seen(index: int) -> Picture | None:
        picture = Image.fromarray(np.rint(255 * examples.pictures[index]).astype(np.uint8))
        rng = np.random.default_rng((seed.generate_state(1)[0], index))
        buffer = io.BytesIO()
        changed = CONDITIONS[name](picture, rng)
        changed.save(buffer, "JPEG" if name == "saved as JPEG" else "BMP")
        try:
            grey = decode(buffer.getvalue())
            return Picture(grey, read_grey(grey, geometry))
        except ImageError:
            return None

    right = accepted = 0
    with ThreadPoolExecutor(2) as pool:
        for start in staged(name, range(0, len(examples), PART)):
            part = range(start, min(start + PART, len(examples)))
            read = [(p, i) for p, i in zip(pool.map(seen, part), part, strict=True) if p is not None]
            answers = [one.prediction for one in answer(classifier, [picture for picture, _ in read])]
            right += sum(one.digit == examples.labels[i] for one, (_, i) in zip(answers, read, strict=True))
            accepted += sum(one.accepted for one in answers)
    return Outcome(len(examples), 1 - right / len(examples), 1 - accepted / len(examples))
