"""Custom Keras layers; importing this module registers them for `keras.models.load_model`."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops
from typing_extensions import override


@keras.saving.register_keras_serializable(package="emodetect")
class AffineSampler(keras.layers.Layer):  # type: ignore[misc]
    """Warps images by affine transforms: the sampler of a spatial transformer (Jaderberg et al. 2015, arXiv 1506.02025).

    Bilinear, and differentiable in images and transforms. It uses gathers on flattened pixels, which every Keras backend
    differentiates and ONNX supports. Pixels outside the image replicate its border.

    Inputs: images (n, height, width, channels), and (n, 6) offsets to the identity transform, row by row; zeros return the
    image unchanged. Coordinates run from -1 to 1 over the image. Output: images of the same shape.
    """

    @override
    def call(self, inputs: Any) -> Any:
        pictures, change = inputs
        _, height, width, channels = pictures.shape
        count = ops.shape(pictures)[0]
        identity = ops.convert_to_tensor([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]], dtype=self.compute_dtype)
        transform = ops.reshape(change + identity, (-1, 2, 3))
        x, y = ops.meshgrid(ops.linspace(-1.0, 1.0, width), ops.linspace(-1.0, 1.0, height))
        grid = ops.stack([ops.ravel(x), ops.ravel(y), ops.ones(height * width)])  # (3, height * width)
        source = ops.matmul(transform, ops.cast(grid, self.compute_dtype))  # (n, 2, height * width)
        x = ops.clip((source[:, 0] + 1) * (width - 1) / 2, 0, width - 1)
        y = ops.clip((source[:, 1] + 1) * (height - 1) / 2, 0, height - 1)
        left, top = ops.clip(ops.floor(x), 0, width - 2), ops.clip(ops.floor(y), 0, height - 2)
        right_share, lower_share = (x - left)[..., None], (y - top)[..., None]

        pixels = ops.reshape(pictures, (-1, channels))
        picture = ops.expand_dims(ops.arange(count, dtype="int32") * (height * width), 1)
        corner = picture + ops.cast(top, "int32") * width + ops.cast(left, "int32")
        upper = self._between(pixels, corner, corner + 1, right_share)
        lower = self._between(pixels, corner + width, corner + width + 1, right_share)
        warped = upper + lower_share * (lower - upper)
        return ops.reshape(warped, (-1, height, width, channels))

    @staticmethod
    def _between(pixels: Any, left: Any, right: Any, share: Any) -> Any:
        a, b = ops.take(pixels, left, axis=0), ops.take(pixels, right, axis=0)
        return a + share * (b - a)

    @override
    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]
