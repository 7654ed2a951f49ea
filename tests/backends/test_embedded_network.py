from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from emodetect.backends.embedded_network import EmbeddedNetwork
from emodetect.backends.onnx_session import EMBEDDED, open_session
from emodetect.pipeline import build_pipeline
from emodetect.settings.pipeline import PHOTOS
from emodetect.types import Frame, Image

FACES = np.random.default_rng(1).random((4, 48, 48, 1)).astype(np.float32)


class Counting:
    """The session of the embedded network, which records the sizes of its batches."""

    def __init__(self) -> None:
        self.session, self.sizes = open_session(EMBEDDED), list[int]()

    def run(self, outputs: Sequence[str], inputs: dict[str, npt.NDArray[np.float32]]) -> Any:
        [batch] = inputs.values()
        self.sizes.append(len(batch))
        return self.session.run(outputs, inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)


def test_faces_of_the_last_run_are_not_computed_again() -> None:
    network, session = EmbeddedNetwork(), Counting()
    network._session = session
    direct = session.session.run(["ferplus"], {"faces": FACES})[0]

    [faces] = network.run(FACES[:3], ["face"])
    assert faces.shape == (3, 2)
    for places in ([2, 0], [2, 3, 2], [3]):
        [scores] = network.run(FACES[places], ["ferplus"])
        np.testing.assert_allclose(scores, direct[places], atol=1e-5)
    assert session.sizes == [3, 1]
    network.run(FACES[:1], ["face", "fer2013"])
    assert session.sizes == [3, 1, 1]


def test_a_photo_is_verified_and_classified_in_one_run(photo: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    network, session = EmbeddedNetwork(), Counting()
    network._session = session
    for module in ("emodetect.faces.verifier", "emodetect.backends.onnx_cnn"):
        monkeypatch.setattr(f"{module}.embedded_network", lambda: network)
    with build_pipeline(PHOTOS) as pipeline:
        session.sizes.clear()  # those of loading
        assert len(pipeline.analyze(Frame(photo)).readings) == 1
    assert session.sizes == [1]
