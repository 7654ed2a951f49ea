"""Distillation: the scores of trained networks, mixed into the labels that another network learns.

After Hinton et al. 2015 (arXiv 1503.02531), and Furlanello et al. 2018 (arXiv 1805.04770) where teacher and student are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emodetect.backends.conventions import ASSUMED_SCALING
from emodetect.backends.onnx_session import model_metadata, open_session
from emodetect.errors import ModelError, about
from emodetect.training.architectures.base import Head
from emodetect.training.data.labeled import as_input

FloatArray = npt.NDArray[np.float32]

SHARE = 0.5
"""Share of the teachers' scores in a target."""

_BATCH = 256


@about("teachers")
def distill(
    targets: Sequence[FloatArray], heads: Sequence[Head], images: npt.NDArray[np.uint8], paths: Sequence[Path]
) -> tuple[FloatArray, ...]:
    """Mix the teachers' scores, averaged over all teachers and mirrored faces, into the targets of the heads that they have.

    Args:
        targets: for each head float32 (n, labels).
        heads: the outputs to train.
        images: uint8 (n, 48, 48), gray.
        paths: ONNX files written by `emodetect export`, with outputs named like the heads.

    Returns:
        The new targets; rows without a target (zeros) are unchanged.

    Raises:
        ModelError: a teacher cannot be run, is rejected for safety, or has none of the outputs.
    """
    scores_by_head: dict[str, list[FloatArray]] = {head.name: [] for head in heads if head.learns != "face"}
    for path in paths:
        for name, scores in _teacher_scores(path, images, tuple(scores_by_head)).items():
            scores_by_head[name].append(scores)
    result = []
    for head, target in zip(heads, targets, strict=True):
        if scores_by_head.get(head.name):
            known = target.sum(axis=1, keepdims=True) > 0
            mixed = (1 - SHARE) * target + SHARE * np.mean(scores_by_head[head.name], axis=0)
            target = np.where(known, mixed, target).astype(np.float32)
        result.append(target)
    return tuple(result)


def _teacher_scores(path: Path, images: npt.NDArray[np.uint8], names: Sequence[str]) -> dict[str, FloatArray]:
    session = open_session(path)
    metadata = model_metadata(session, path)
    if metadata and metadata.scaling and str(metadata.scaling) != str(ASSUMED_SCALING):
        raise ModelError(f"{path}: expected a teacher that takes pixels from {ASSUMED_SCALING}, got {metadata.scaling}")
    wanted = [output.name for output in session.get_outputs() if output.name in names]
    if not wanted:
        raise ModelError(
            f"{path}: has no output named {' or '.join(names)}; a teacher is a file that emodetect export has written"
        )
    batches = []
    for start in range(0, len(images), _BATCH):
        faces = as_input(images[start : start + _BATCH])
        plain, mirrored = (session.run(wanted, {session.get_inputs()[0].name: view}) for view in (faces, faces[:, :, ::-1]))
        batches.append([(a + b) / 2 for a, b in zip(plain, mirrored, strict=True)])
    return {name: np.concatenate(scores) for name, scores in zip(wanted, zip(*batches, strict=True), strict=True)}
