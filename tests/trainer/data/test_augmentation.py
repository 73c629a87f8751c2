"""Distorted pictures stay digits, differ from each other and stay within every range."""

import dataclasses
import io
import sys

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from tests.trainer.quick import drawn_examples
from trainer.data import Augmentation, augment, load_digits
from trainer.data.augmentation import _elastic_field, warp
from trainer.data.detail import enlarge, reduce
from trainer.data.sampling import sample
from trainer.errors import UsageError

EXAMPLES = drawn_examples(60)
NOTHING = Augmentation(
    **{field.name: 0.0 for field in dataclasses.fields(Augmentation) if field.type is float}
)
ALL = Augmentation(
    share=1, stroke_share=1, blur_share=1, fading_share=1, contrast_share=1, noise_share=1, jpeg_share=1
)


def distorted(settings: Augmentation, seed: int = 0) -> np.ndarray:
    return augment(EXAMPLES.pictures, EXAMPLES.labels, settings, np.random.default_rng(seed))


@pytest.mark.parametrize("settings", [Augmentation(), ALL, NOTHING])
def test_pictures_keep_shape_type_range_and_some_ink(settings: Augmentation) -> None:
    pictures = distorted(settings)
    assert pictures.shape == EXAMPLES.pictures.shape
    assert pictures.dtype == np.float32
    assert pictures.min() >= 0
    assert pictures.max() <= 1 + 1e-6
    assert pictures.max(axis=(1, 2)).min() > 0.3


def test_originals_are_unchanged() -> None:
    before = EXAMPLES.pictures.copy()
    distorted(ALL)
    assert np.array_equal(EXAMPLES.pictures, before)


def test_seed_determines_the_pictures() -> None:
    assert np.array_equal(distorted(ALL, 1), distorted(ALL, 1))
    assert not np.array_equal(distorted(ALL, 1), distorted(ALL, 2))


def test_enlarged_pictures_keep_the_mean_of_each_pixel() -> None:
    digits = load_digits()[0].pictures[:50]
    large = enlarge(digits, 4)
    assert large.shape == (50, 32, 32)
    assert large.dtype == np.float32
    assert reduce(large, 4) == pytest.approx(digits, abs=0.05)  # where ink would be below 0 or above 1
    assert np.abs(reduce(large, 4) - digits).mean() < 0.01
    pale = np.full((1, 8, 8), 0.5, np.float32)  # nothing is cut off
    assert reduce(enlarge(pale, 4), 4) == pytest.approx(pale, abs=1e-5)
    assert enlarge(digits, 1) is digits


def test_lengths_mean_the_same_in_parts_of_a_pixel() -> None:
    digits, labels = load_digits()[0].pictures[:400], np.zeros(400, int)
    moved = Augmentation(
        **{**dataclasses.asdict(NOTHING), "share": 1.0, "elastic_alpha": 2.3, "elastic_sigma": 1.0}
    )
    changes = []
    for detail in (2, 4):
        settings = dataclasses.replace(moved, detail=detail)
        copies = augment(digits, labels, settings, np.random.default_rng(0))
        changes.append(float(np.abs(copies - digits).mean()))
    assert changes[0] == pytest.approx(changes[1], rel=0.15)
    assert changes[1] > 0.02


def test_shift_in_parts_moves_by_pixels() -> None:
    dots = np.zeros((400, 8, 8), np.float32)
    dots[:, 3:5, 3:5] = 1
    settings = Augmentation(**{**dataclasses.asdict(NOTHING), "share": 1.0, "shift": 1.0, "detail": 4})
    copies = augment(dots, np.zeros(400, int), settings, np.random.default_rng(0))
    rows = copies.sum(axis=2) @ np.arange(8) / copies.sum(axis=(1, 2))
    moves = np.abs(rows - 3.5)
    assert 0.9 < moves.max() < 1.05
    assert moves.mean() == pytest.approx(0.5, abs=0.05)


def test_share_of_pictures_is_distorted() -> None:
    assert np.array_equal(distorted(NOTHING), EXAMPLES.pictures)
    half = distorted(dataclasses.replace(Augmentation(), share=0.5))
    changed = np.mean((half != EXAMPLES.pictures).any(axis=(1, 2)))
    assert 0.3 < changed < 0.7


def test_zero_ranges_return_the_picture() -> None:
    still = dataclasses.replace(NOTHING, share=1.0)
    assert distorted(still) == pytest.approx(EXAMPLES.pictures, abs=1e-5)


def center(pictures: np.ndarray) -> np.ndarray:
    """Return the center of mass, (n, 2)."""
    index = np.arange(pictures.shape[1])
    mass = pictures.sum(axis=(1, 2))
    return np.stack((pictures.sum(axis=2) @ index, pictures.sum(axis=1) @ index), axis=1) / mass[:, None]


@pytest.mark.parametrize("side", [8, 28])
def test_opencv_reads_between_pixels_as_numpy_does(side: int) -> None:
    rng = np.random.default_rng(side)
    pictures = rng.random((600, side, side), np.float32)  # more rows than OpenCV reads at once
    rows, columns = (rng.uniform(-3, side + 2, pictures.shape).astype(np.float32) for _ in range(2))
    rows[0], columns[0] = np.indices((side, side), np.float32)  # one stays as it is
    ours, theirs = (sample(pictures, rows.copy(), columns.copy(), name) for name in ("numpy", "opencv"))
    witness = [
        map_coordinates(*one, order=1, mode="grid-constant", prefilter=False)
        for one in zip(pictures, np.stack((rows, columns), axis=1), strict=True)
    ]
    assert ours == pytest.approx(np.stack(witness), abs=1.1e-3)  # a thousandth of the edge is left outside
    assert theirs == pytest.approx(np.stack(witness), abs=1e-3)
    assert theirs[0] == pytest.approx(pictures[0], abs=1e-6)
    assert theirs.dtype == np.float32


def test_sampling_setting_chooses_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    opencv = dataclasses.replace(Augmentation(), sampling="opencv")
    assert distorted(opencv) == pytest.approx(distorted(Augmentation()), abs=0.01)
    assert not np.array_equal(distorted(opencv), distorted(Augmentation()))
    monkeypatch.setitem(sys.modules, "cv2", None)  # not installed
    distorted(Augmentation())
    with pytest.raises(UsageError, match=r"pip install -r trainer/requirements-opencv\.txt"):
        distorted(opencv)


def test_shift_stays_within_its_limit() -> None:
    moved = distorted(dataclasses.replace(NOTHING, share=1.0, shift=2.0))
    distance = np.abs(center(moved) - center(EXAMPLES.pictures))
    assert 1.5 < distance.max() <= 2.01


def angle(picture: np.ndarray) -> float:
    """Return the direction of the longest axis in degrees, 0 for upright."""
    rows, columns = np.nonzero(picture > 0.5)
    covariance = np.cov(np.stack((rows, columns)))
    direction = np.linalg.eigh(covariance)[1][:, -1]
    return float(np.degrees(np.arctan(direction[1] / direction[0])))


def test_one_rotates_half_as_far() -> None:
    bar = np.zeros((200, 28, 28), np.float32)
    bar[:, 4:24, 13:15] = 1
    settings = dataclasses.replace(NOTHING, share=1.0, rotation=30.0)
    turned = {}
    for label in (1, 6):
        labels = np.full(200, label)
        pictures = warp(bar, labels, settings, np.random.default_rng(0))
        turned[label] = max(abs(angle(picture)) for picture in pictures)
    assert 25 < turned[6] < 33
    assert 12 < turned[1] < 17


def bars(**settings: float) -> np.ndarray:
    """Return 200 distorted copies of an upright bar, 20 pixels high and 4 wide."""
    bar = np.zeros((200, 28, 28), np.float32)
    bar[:, 4:24, 12:16] = 1
    chosen = dataclasses.replace(NOTHING, share=1.0, **settings)
    return warp(bar, np.full(200, 6), chosen, np.random.default_rng(0))


def test_scale_changes_height_and_width_independently() -> None:
    pictures = bars(scale=0.2)
    height, width = pictures.max(axis=2).sum(axis=1), pictures.max(axis=1).sum(axis=1)
    assert 16 < height.min() < 17.5  # 20 / 1.2
    assert 23 < height.max() < 26.5  # 20 / 0.8
    assert 3.2 < width.min() < 3.7
    assert 4.5 < width.max() < 5.5
    assert abs(np.corrcoef(height, width)[0, 1]) < 0.3


def test_shear_stays_within_its_limit() -> None:
    slants = np.tan(np.radians([angle(picture) for picture in bars(shear=0.3)]))
    assert 0.25 < slants.max() < 0.33
    assert -0.33 < slants.min() < -0.25


def ink(pictures: np.ndarray) -> float:
    return float(pictures.sum())


def test_strokes_become_thicker_and_thinner() -> None:
    strokes = dataclasses.replace(NOTHING, share=1.0, stroke_share=1.0)
    thicker = distorted(dataclasses.replace(strokes, thicken=1.0))
    thinner = distorted(dataclasses.replace(strokes, thin=1.0))
    assert ink(thicker) > 1.1 * ink(EXAMPLES.pictures)
    assert ink(thinner) < 0.9 * ink(EXAMPLES.pictures)


def test_fading_removes_ink_and_blur_softens() -> None:
    faded = distorted(dataclasses.replace(NOTHING, share=1.0, fading_share=1.0, fading=0.9))
    assert ink(faded) < 0.95 * ink(EXAMPLES.pictures)
    blurred = distorted(dataclasses.replace(NOTHING, share=1.0, blur_share=1.0, blur=0.8))
    assert np.abs(np.diff(blurred, axis=1)).max() < np.abs(np.diff(EXAMPLES.pictures, axis=1)).max()


def test_contrast_pales_every_pixel_equally() -> None:
    pale = distorted(dataclasses.replace(NOTHING, share=1.0, contrast_share=1.0, contrast=0.6))
    for before, after in zip(EXAMPLES.pictures, pale, strict=True):
        ratios = after[before > 0.2] / before[before > 0.2]
        assert ratios == pytest.approx(np.full(len(ratios), ratios[0]), abs=1e-3)
        assert 0.4 <= ratios[0] <= 1.001
    assert ink(pale) < 0.85 * ink(EXAMPLES.pictures)


def test_noise_stays_on_the_ink() -> None:
    grainy = distorted(dataclasses.replace(NOTHING, share=1.0, noise_share=1.0, noise=0.5))
    background = EXAMPLES.pictures == 0
    assert not grainy[background].any()
    assert np.std((grainy - EXAMPLES.pictures)[~background]) > 0.1


def test_compression_matches_a_jpeg_file() -> None:
    compressed = distorted(dataclasses.replace(NOTHING, share=1.0, jpeg_share=1.0, jpeg=100.0))
    files = np.stack([through_jpeg(picture, quality=25) for picture in EXAMPLES.pictures])
    inked = EXAMPLES.pictures > 0
    damage, real = (np.abs(other - EXAMPLES.pictures)[inked].mean() for other in (compressed, files))
    assert 0.5 < damage / real < 2


def through_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(np.uint8(255 * picture)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer), np.float32) / 255


def test_fine_compression_keeps_pictures() -> None:
    compressed = distorted(dataclasses.replace(NOTHING, share=1.0, jpeg_share=1.0, jpeg=1.0))
    assert compressed == pytest.approx(EXAMPLES.pictures, abs=0.02)


def test_elastic_field_differs_for_each_picture() -> None:
    settings = dataclasses.replace(NOTHING, share=1.0, elastic_alpha=37.0, elastic_sigma=5.25)
    same = np.repeat(EXAMPLES.pictures[:1], 8, axis=0)
    bent = warp(same, np.full(8, 5), settings, np.random.default_rng(0))
    assert len({picture.tobytes() for picture in bent}) == 8


def test_picture_that_would_lose_its_ink_is_unchanged() -> None:
    dot = np.zeros((20, 28, 28), np.float32)
    dot[:, 1, 1] = 1
    away = dataclasses.replace(NOTHING, share=1.0, shift=28.0)
    pictures = augment(dot, np.zeros(20, int), away, np.random.default_rng(0))
    assert (pictures.max(axis=(1, 2)) > 0.3).all()


def test_elastic_field_has_the_spread_of_dense_noise() -> None:
    settings = Augmentation(elastic_alpha=37.0, elastic_sigma=5.25)
    rng = np.random.default_rng(0)
    field = _elastic_field(2000, 28, settings, rng)
    smoothed = gaussian_filter(
        rng.uniform(-1, 1, (500, 28, 28)),
        (0, settings.elastic_sigma, settings.elastic_sigma),
        mode="constant",
    )
    wanted = settings.elastic_alpha * smoothed
    for row, column in ((14, 14), (4, 20), (0, 0)):
        assert field[:, :, row, column].std() == pytest.approx(wanted[:, row, column].std(), rel=0.12)
    along = np.corrcoef(field[0, :, 14, 10], field[0, :, 14, 15])[0, 1]
    assert along == pytest.approx(np.corrcoef(wanted[:, 14, 10], wanted[:, 14, 15])[0, 1], abs=0.06)
