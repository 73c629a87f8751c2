"""The settings of distortion, and the base of all settings classes.

recipe, flags, Python -> Augmentation, checked where it is constructed -> trainer.data.augmentation
"""

import dataclasses
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

# For every settings class: no text for a number, no unknown name, no infinity.
CHECKED = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, config=CHECKED)
class Augmentation:
    """How far pictures are distorted; each picture draws uniformly from each range.

    Affine ranges as in Ciresan et al. 2010, "Deep, Big, Simple Neural Nets"; the elastic field is
    that of Simard et al. 2003, "Best Practices for Convolutional Neural Networks".
    """

    share: float = Field(default=0.9, ge=0, le=1, description="share of the pictures that are distorted")
    detail: int = Field(
        default=1,
        ge=1,
        le=8,
        description="parts on each axis into which a pixel is divided while it is distorted",
    )
    rotation: float = Field(default=15.0, ge=0, le=180, description="degrees either way")
    scale: float = Field(
        default=0.15, ge=0, le=0.9, description="relative change of width and of height, independently"
    )
    shear: float = Field(
        default=0.12, ge=0, le=1, description="horizontal displacement per row, in pixels per pixel"
    )
    shift: float = Field(default=1.0, ge=0, description="pixels either way on each axis")
    elastic_alpha: float = Field(
        default=37.0, ge=0, description="strength of the random displacement field, in pixels"
    )
    elastic_sigma: float = Field(
        default=5.25, ge=0, description="smoothness of the displacement field, in pixels"
    )
    stroke_share: float = Field(
        default=0.3, ge=0, le=1, description="share of the pictures whose strokes become thicker or thinner"
    )
    thicken: float = Field(
        default=1.0, ge=0, le=1, description="largest share of a one-pixel dilation mixed in"
    )
    thin: float = Field(default=0.8, ge=0, le=1, description="largest share of a one-pixel erosion mixed in")
    blur_share: float = Field(default=0.1, ge=0, le=1, description="share of the pictures that are blurred")
    blur: float = Field(default=0.8, ge=0, description="largest standard deviation of the blur, in pixels")
    fading_share: float = Field(
        default=0.1, ge=0, le=1, description="share of the pictures that lose ink in patches"
    )
    fading: float = Field(default=0.5, ge=0, le=1, description="largest share of the ink lost")
    contrast_share: float = Field(
        default=0.0, ge=0, le=1, description="share of the pictures that become paler as a whole"
    )
    contrast: float = Field(
        default=0.5, ge=0, le=1, description="largest share of the ink taken from every pixel equally"
    )
    noise_share: float = Field(
        default=0.0, ge=0, le=1, description="share of the pictures whose ink becomes grainy"
    )
    noise: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="largest standard deviation of the grain; the background stays clean",
    )
    jpeg_share: float = Field(
        default=0.0, ge=0, le=1, description="share of the pictures with JPEG artifacts"
    )
    jpeg: float = Field(
        default=60.0, ge=0, le=255, description="largest quantization step of the JPEG coefficients, of 255"
    )
    sampling: Literal["numpy", "opencv"] = Field(
        default="numpy",
        description="library that reads between pixels; opencv is faster, but an extra package",
    )
    normalized_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of the pictures that are then cut out and centered again, like uploads",
    )


def in_parts(settings: Augmentation) -> Augmentation:
    """Return the settings with lengths in parts of a pixel, `detail` of them to each.

    Smoothing over more parts weakens the random field, so its strength grows with the square of `detail`.
    `thicken` and `thin` stay one part wide.
    """
    if settings.detail == 1:
        return settings
    parts = settings.detail
    return dataclasses.replace(
        settings,
        shift=settings.shift * parts,
        elastic_sigma=settings.elastic_sigma * parts,
        elastic_alpha=settings.elastic_alpha * parts**2,
        blur=settings.blur * parts,
    )
