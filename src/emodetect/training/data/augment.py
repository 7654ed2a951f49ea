"""Augmentation of training faces with changes that cameras and detectors cause, without altering the emotion."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

_MAX_BLUR = 0.06
"""Maximum standard deviation of the blur, as a fraction of the width."""


@dataclass(frozen=True)
class Augmentation:
    """Ranges of random changes to training faces.

    Attributes:
        rotation: maximum rotation in either direction, degrees.
        shear: maximum shear in either direction, degrees.
        zoom: minimum and maximum scale factor.
        shift: maximum shift in any direction, as a fraction of the side.
        flip: mirror half of the faces.
        brightness: maximum change, as a fraction of the full range.
        contrast: maximum change of the contrast factor from 1.
        low_resolution: share of the faces that are reduced, at least by half, and enlarged again.
        blur: share of the faces that are blurred.
        erase: share of the faces in which a random rectangle is replaced by noise (Zhong et al. 2017, arXiv 1708.04896).
    """

    rotation: float = 0.0
    shear: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    low_resolution: float = 0.0
    blur: float = 0.0
    erase: float = 0.0

    def apply(
        self,
        images: npt.NDArray[np.uint8],
        generator: np.random.Generator,
        backgrounds: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Change each image independently.

        Args:
            images: uint8 (n, h, w).
            generator: random number generator.
            backgrounds: uint8 (m, h, w), images placed behind half of the faces that are shifted or reduced, as in a camera
                image. For the others, and if None, border pixels are replicated.

        Returns:
            A new array of the same shape.
        """
        result = np.empty_like(images)
        for index, image in enumerate(images):
            behind = None
            if backgrounds is not None and generator.random() < 0.5:
                behind = backgrounds[generator.integers(len(backgrounds))]
            result[index] = self._apply_one(image, generator, behind)
        return result

    def _apply_one(
        self, image: npt.NDArray[np.uint8], generator: np.random.Generator, behind: npt.NDArray[np.uint8] | None
    ) -> npt.NDArray[np.uint8]:
        height, width = image.shape
        if self.flip and generator.random() < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
        transform = self._transform(height, width, generator)
        canvas = np.empty_like(image) if behind is None else behind.copy()
        border = cv2.BORDER_REPLICATE if behind is None else cv2.BORDER_TRANSPARENT
        cv2.warpAffine(image, transform, (width, height), dst=canvas, flags=cv2.INTER_LINEAR, borderMode=border)
        image = canvas
        if generator.random() < self.low_resolution:
            side = int(generator.integers(width // 2, width))
            small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
            image = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        if generator.random() < self.blur:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), width * generator.uniform(0.01, _MAX_BLUR)), np.uint8)
        if self.brightness or self.contrast:
            factor = 1 + generator.uniform(-self.contrast, self.contrast)
            offset = 255 * generator.uniform(-self.brightness, self.brightness)
            mean = float(image.mean())
            image = np.clip((image - mean) * factor + mean + offset, 0, 255).astype(np.uint8)
        if generator.random() < self.erase:
            image = _erase(image, generator)
        return image

    def _transform(self, height: int, width: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
        angle = np.deg2rad(generator.uniform(-self.rotation, self.rotation))
        shear = np.tan(np.deg2rad(generator.uniform(-self.shear, self.shear)))
        zoom = generator.uniform(*self.zoom)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = zoom * rotation @ np.array([[1, shear], [0, 1]])
        center = np.array([(width - 1) / 2, (height - 1) / 2])
        move = generator.uniform(-self.shift, self.shift, 2) * (width, height)
        return np.column_stack([linear, center + move - linear @ center])


def _erase(image: npt.NDArray[np.uint8], generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    height, width = image.shape
    area = generator.uniform(0.02, 0.2) * height * width
    ratio = np.exp(generator.uniform(np.log(0.4), np.log(2.5)))
    rows = min(height, max(1, round(float(np.sqrt(area * ratio)))))
    columns = min(width, max(1, round(float(np.sqrt(area / ratio)))))
    top = int(generator.integers(0, height - rows + 1))
    left = int(generator.integers(0, width - columns + 1))
    image = image.copy()
    image[top : top + rows, left : left + columns] = generator.integers(0, 256, (rows, columns))
    return image


TUTORIAL = Augmentation(rotation=30, shear=0.3, zoom=(0.7, 1.3), flip=True)
"""The augmentation of the common FER-2013 tutorial."""

STRONG = Augmentation(
    rotation=15, zoom=(0.8, 1.2), shift=0.1, flip=True, brightness=0.15, contrast=0.3, low_resolution=0.1, blur=0.1, erase=0.1
)
"""The augmentation of the embedded network."""

AUGMENTATIONS = {"none": Augmentation(), "tutorial": TUTORIAL, "strong": STRONG}
"""Augmentations by name on the command line; the names are `hyperparameters.AUGMENTATION_NAMES`."""
