from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from emodetect.backends.labels import TUTORIAL_LABELS
from emodetect.errors import UsageError
from emodetect.training.architectures import ARCHITECTURE_NAMES, architecture_named
from tests.cli.running import TIMEOUT, environment

LEARNING_SAMPLER = """
import keras, numpy as np
from emodetect.training.architectures import architecture_named
from emodetect.training.architectures.deep_emotion import warped_faces

keras.utils.set_random_seed(0)
architecture = architecture_named("deep-emotion")
model = architecture.build(architecture.heads)
faces = np.random.default_rng(0).integers(0, 256, (8, 48, 48), np.uint8)
assert np.abs(warped_faces(model, faces) - faces / 255).max() < 1e-4, "does not start at the identity"

def values(names):
    return [keras.ops.convert_to_numpy(v).copy() for n in names for v in model.get_layer(n).trainable_variables]

# With plain gradient descent the change of a weight is the rate times its gradient. The last layer starts at zero, so that
# the one before it gets its first gradient in the second step.
model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
names = ["transform", "localisation"]
before = values(names)
model.fit(faces[..., None] / 255, np.eye(7)[np.arange(8) % 7], epochs=2, batch_size=8, verbose=0)
changes = [float(np.abs(a - b).max()) for a, b in zip(before, values(names))]
assert min(changes) > 0, changes
assert np.abs(warped_faces(model, faces) - faces / 255).max() > 1e-5, "the faces are not warped"
"""


def test_baseline_is_the_tutorials_network() -> None:
    baseline = architecture_named("baseline")
    model = baseline.build(baseline.heads)
    assert model.count_params() == 2_489_095
    assert model.input_shape == (None, 48, 48, 1)
    assert model.output_shape == (None, 7)
    assert baseline.heads[0].labels == TUTORIAL_LABELS
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == [
        *("Conv2D", "Conv2D", "MaxPooling2D", "Dropout", "Conv2D", "MaxPooling2D", "Dropout", "Conv2D", "MaxPooling2D"),
        *("Dropout", "Flatten", "Dense", "Dropout", "Dense"),
    ]
    assert [layer.rate for layer in model.layers if "Dropout" in type(layer).__name__] == [0.1, 0.1, 0.1, 0.2]
    assert (baseline.batch_size, baseline.epochs) == (32, 50)


@pytest.mark.parametrize("name", ARCHITECTURE_NAMES)
def test_each_network_gives_probabilities_for_each_of_its_heads(name: str) -> None:
    architecture = architecture_named(name)
    outputs = architecture.build(architecture.heads)(np.zeros((2, 48, 48, 1), np.float32))
    for head, output in zip(architecture.heads, outputs if isinstance(outputs, list) else [outputs], strict=True):
        assert tuple(output.shape) == (2, len(head.labels))
        np.testing.assert_allclose(np.asarray(output).sum(axis=1), 1, atol=1e-5)


def test_an_unknown_network_is_misuse() -> None:
    with pytest.raises(UsageError, match="no architecture 'resnet'; there are baseline, deep-emotion, compact"):
        architecture_named("resnet")


def test_the_sampler_warps_as_opencv_does() -> None:
    import cv2

    from emodetect.backends.keras_layers import AffineSampler

    face = cv2.GaussianBlur(np.random.default_rng(0).random((48, 48)).astype(np.float32), (0, 0), 3)
    change = np.asarray([[0.2, 0.1, 0.05, -0.1, -0.2, 0.1]], np.float32)
    found = np.asarray(AffineSampler()([face[np.newaxis, ..., np.newaxis], change]))[0, ..., 0]
    # The same transform in pixels: coordinates -1 to 1 run from the first to the last pixel's center.
    linear = np.asarray([[1.2, 0.1], [-0.1, 0.8]])
    center = np.asarray([23.5, 23.5])
    matrix = np.column_stack([linear, 23.5 * np.asarray([0.05, 0.1]) + center - linear @ center])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(face, matrix, (48, 48), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(found, expected, atol=5e-3)  # OpenCV rounds places to 1/32 of a pixel


@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_the_localization_network_learns_through_the_sampler(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    done = subprocess.run(
        [sys.executable, "-c", LEARNING_SAMPLER],
        env=environment({"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
