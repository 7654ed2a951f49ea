"""Pixel-identical copies, and the cut of a validation part: copies stay on one side."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from emodetect.training.data.labeled import LabeledFaces
from emodetect.types import EMOTIONS


def group_copies(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Number pixel-identical images alike: int64 (n,), each value the position of the first such image."""
    first: dict[bytes, int] = {}
    return np.asarray([first.setdefault(image.tobytes(), i) for i, image in enumerate(images)], np.int64)


def without_copies_of(faces: LabeledFaces, others: LabeledFaces) -> LabeledFaces:
    """The faces of which no pixel-identical image is among the others."""
    seen = {image.tobytes() for image in others.images}
    return faces.take(np.asarray([i for i, image in enumerate(faces.images) if image.tobytes() not in seen], np.int64))


def split_validation(faces: LabeledFaces, share: float, seed: int) -> tuple[LabeledFaces, LabeledFaces]:
    """Cut a stratified validation part out of a training part.

    Pixel-identical copies stay together, also where their labels differ (they then count for the first label).

    Args:
        faces: what to split.
        share: part of each label that goes to validation, 0 to 1.
        seed: the split depends on this number alone.

    Returns:
        The training part and the validation part.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(group_copies(faces.images)):
        groups[int(group)].append(index)
    generator = np.random.default_rng(seed)
    validation: list[int] = []
    for label in range(len(EMOTIONS)):
        members = [indices for first, indices in groups.items() if faces.labels[first] == label]
        order = generator.permutation(len(members))
        wanted = share * sum(map(len, members))
        taken = 0
        for position in order:
            if taken >= wanted:
                break
            validation.extend(members[position])
            taken += len(members[position])
    chosen = np.zeros(len(faces), bool)
    chosen[validation] = True
    return faces.take(np.flatnonzero(~chosen)), faces.take(np.flatnonzero(chosen))
