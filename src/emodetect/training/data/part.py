"""A split of a data set: faces with training targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emodetect.training.data.labeled import LabeledFaces
from emodetect.training.data.votes import Votes

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """Faces with one target array and one weight array per head.

    Attributes:
        faces: the images and folder labels; -1 if the image is not a face.
        targets: for each head float32 (n, labels), rows that sum to 1 if the weight is not 0.
        weights: for each head float32 (n,); 0 if the face has no target for it.
        votes: votes of human annotators (FER+), or None.
    """

    faces: LabeledFaces
    targets: tuple[FloatArray, ...]
    weights: tuple[FloatArray, ...]
    votes: Votes | None = None

    def accuracy(self, scores: Sequence[FloatArray]) -> list[float]:
        """Accuracy of each head over the faces that have a single true label for it."""
        result = []
        for target, weight, score in zip(self.targets, self.weights, scores, strict=True):
            decided = (weight > 0) & (target.max(axis=1) > 0.5)
            hits = score.argmax(axis=1) == target.argmax(axis=1)
            result.append(float(hits[decided].mean()) if decided.any() else float("nan"))
        return result

    def loss(self, scores: Sequence[FloatArray]) -> float:
        """Sum of the cross-entropies of the heads, each a mean over all faces, as Keras computes it in training."""
        total = 0.0
        for target, weight, score in zip(self.targets, self.weights, scores, strict=True):
            total += float((-(target * np.log(np.maximum(score, 1e-7))).sum(axis=1) * weight).mean())
        return total

    def agreed_labels(self) -> npt.NDArray[np.int64]:
        """Agreed labels, int64 (n,), positions in `EMOTIONS`, -1 if there is none.

        These are FER+'s majority if there are votes, otherwise the labels of the folders.
        """
        return self.faces.labels if self.votes is None else self.votes.majority_seven()
