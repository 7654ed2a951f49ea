"""Validation split; pixel-identical copies stay together."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from emodetect.training.data.labeled import LabeledFaces
from emodetect.types import EMOTIONS


def group_copies(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Group pixel-identical images: int64 (n,), for each image the position of the first identical one."""
    first: dict[bytes, int] = {}
    return np.asarray([first.setdefault(image.tobytes(), i) for i, image in enumerate(images)], np.int64)


def without_copies_of(faces: LabeledFaces, others: LabeledFaces) -> LabeledFaces:
    """Remove the faces with a pixel-identical image in another split.

    Args:
        faces: the faces to filter.
        others: the other split.
    """
    seen = {image.tobytes() for image in others.images}
    return faces.take(np.asarray([i for i, image in enumerate(faces.images) if image.tobytes() not in seen], np.int64))


def split_validation(faces: LabeledFaces, share: float, seed: int) -> tuple[LabeledFaces, LabeledFaces]:
    """Split the training data into a training and a stratified validation split.

    Pixel-identical copies stay together. If their labels differ, they count for the first label.

    Args:
        faces: the faces to split.
        share: share of each label for validation, 0 to 1.
        seed: seed of the split.

    Returns:
        The training split and the validation split.
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
