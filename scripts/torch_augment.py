"""Augmentation of batches of training faces on the training device: variations of cameras and face locators."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

SHARE = 12
"""Changes to a part of a batch affect one face in this many, with one strength per batch."""


@dataclass(frozen=True)
class Augmentation:
    """Ranges of random changes to training faces.

    Crops of a locator are about upright and about as wide as those of the data set. The spreads are standard deviations of normal
    distributions, clipped at the limits.

    Attributes:
        roll: spread and limit of the rotation, degrees.
        zoom: spread and limit of the logarithm of the scale.
        shift: spread and limit of the shift in either direction, as a fraction of the side.
        shear: spread and limit of the shear and of the logarithm of the aspect ratio.
        brightness: maximum change, as a fraction of the full range.
        contrast: maximum change of the logarithm of the contrast.
        erase: fraction of the faces in which a random rectangle is replaced by noise (Zhong et al. 2017, arXiv 1708.04896).
    """

    roll: tuple[float, float] = (12.0, 40.0)
    zoom: tuple[float, float] = (0.11, 0.3)
    shift: tuple[float, float] = (0.055, 0.15)
    shear: tuple[float, float] = (0.04, 0.1)
    brightness: float = 0.15
    contrast: float = 0.35
    erase: float = 0.2

    def scaled(self, strength: float) -> Augmentation:
        """The same changes, with `strength` times the spreads, limits and shares; degraded faces stay as frequent as they are."""
        values = vars(self)
        return Augmentation(**{
            name: tuple(strength * number for number in value) if isinstance(value, tuple) else strength * value
            for name, value in values.items()
        })  # fmt: skip

    def apply(self, images: Tensor, backgrounds: Tensor | None) -> Tensor:
        """Change each image independently.

        Args:
            images: float32 (n, 1, h, w) in 0..1, in random order.
            backgrounds: float32 (m, 1, h, w), backgrounds of every second face. For the others, and if None, border pixels are
                replicated.

        Returns:
            A new tensor of the same shape, in 0..1.
        """
        images = self._move(images, backgrounds)
        count = len(images)
        share = -(-count // SHARE)
        images[:share] = _reduced(images[:share])
        images[share : 2 * share] = _blurred(images[share : 2 * share])
        column = (count, 1, 1, 1)
        contrast = torch.exp(self.contrast * _even(column, images))
        mean = images.mean((1, 2, 3), keepdim=True)
        images = (images - mean) * contrast + mean + self.brightness * _even(column, images)
        images[2 * share : 3 * share] = _dimmed(images[2 * share : 3 * share])
        return self._erased(images.clamp(0, 1))

    def _move(self, images: Tensor, backgrounds: Tensor | None) -> Tensor:
        count = len(images)
        angle = torch.deg2rad(_normal(self.roll, count, images))
        zoom = torch.exp(_normal(self.zoom, count, images))
        ratio = torch.exp(_normal(self.shear, count, images) / 2)
        shear = _normal(self.shear, count, images)
        mirror = torch.where(torch.rand(count, device=images.device) < 0.5, -1.0, 1.0)
        cosine, sine = torch.cos(angle) / zoom, torch.sin(angle) / zoom
        # From positions in the result to positions in the image, both -1..1.
        rows = torch.stack(
            [
                torch.stack(
                    [mirror * cosine * ratio, mirror * (shear * cosine + sine), 2 * _normal(self.shift, count, images)], 1
                ),
                torch.stack([-sine * ratio, (cosine - shear * sine) / ratio, 2 * _normal(self.shift, count, images)], 1),
            ],
            1,
        )
        grid = functional.affine_grid(rows, list(images.shape), align_corners=False)
        moved = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
        if backgrounds is None or not len(backgrounds):
            return moved
        outside = (grid.abs() > 1).any(dim=3).unsqueeze(1)
        chosen = torch.rand((count, 1, 1, 1), device=images.device) < 0.5
        behind = backgrounds[torch.randint(len(backgrounds), (count,), device=images.device)]
        return torch.where(outside & chosen, behind, moved)

    def _erased(self, images: Tensor) -> Tensor:
        count, _, height, width = images.shape
        area = _between(0.02, 0.2, count, images) * height * width
        ratio = torch.exp(_between(-0.92, 0.92, count, images))
        tall, broad = (area * ratio).sqrt().clamp(max=height), (area / ratio).sqrt().clamp(max=width)
        tall = torch.where(torch.rand(count, device=images.device) < self.erase, tall, 0.0)
        top, left = ((side - size) * torch.rand_like(size) for side, size in ((height, tall), (width, broad)))
        rows = torch.arange(height, device=images.device)
        columns = torch.arange(width, device=images.device)
        inside_rows = (rows >= top[:, None]) & (rows < (top + tall)[:, None])
        inside_columns = (columns >= left[:, None]) & (columns < (left + broad)[:, None])
        inside = (inside_rows[:, :, None] & inside_columns[:, None, :]).unsqueeze(1)
        return torch.where(inside, torch.rand_like(images), images)


def _reduced(images: Tensor) -> Tensor:
    """Reduce and enlarge again, as for faces with fewer pixels."""
    height, width = images.shape[2:]
    side = int(torch.randint(width // 3, width, ()))
    small = functional.interpolate(images, (side, side), mode="area")
    return functional.interpolate(small, (height, width), mode="bilinear", align_corners=False)


def _blurred(images: Tensor) -> Tensor:
    """Blur with a standard deviation of 1 to 6 % of the width."""
    width = images.shape[3]
    sigma = width * (0.01 + 0.05 * float(torch.rand(())))
    reach = max(1, round(3 * sigma))
    offsets = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = functional.pad(images, (reach, reach, reach, reach), mode="replicate")
    rows = functional.conv2d(padded, kernel.view(1, 1, 1, -1))
    return functional.conv2d(rows, kernel.view(1, 1, -1, 1))


def _dimmed(images: Tensor) -> Tensor:
    """Darken, with the amplified noise of a camera."""
    light = _between(0.1, 0.7, len(images), images)[:, None, None, None]
    return images * light + torch.randn_like(images) * (3 / 255)


def _normal(spread_and_limit: tuple[float, float], count: int, like: Tensor) -> Tensor:
    spread, limit = spread_and_limit
    return (spread * torch.randn(count, device=like.device)).clamp(-limit, limit)


def _even(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Uniform distribution from -1 to 1."""
    return 2 * torch.rand(shape, device=like.device) - 1


def _between(low: float, high: float, count: int, like: Tensor) -> Tensor:
    return low + (high - low) * torch.rand(count, device=like.device)
