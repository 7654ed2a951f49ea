"""Weights file of DeepFace's emotion model; imported without DeepFace."""

from __future__ import annotations

import os
from pathlib import Path

WEIGHTS_NAME = "facial_expression_model_weights.h5"

_HDF5 = b"\x89HDF\r\n\x1a\n"


def weights_path() -> Path:
    """Path of DeepFace's emotion weights, as in `deepface.commons.weight_utils`."""
    return Path(os.environ.get("DEEPFACE_HOME", os.path.expanduser("~"))) / ".deepface" / "weights" / WEIGHTS_NAME


def weights_cure() -> str:
    """Hint for missing weights."""
    return f"put {WEIGHTS_NAME} into {weights_path().parent} (from the releases of serengil/deepface_models on GitHub, v1.0)"


def are_weights_damaged() -> bool:
    """Whether the file is not HDF5, as after an aborted download or an HTML error page.

    Raises:
        OSError: the file cannot be read.
    """
    with weights_path().open("rb") as file:
        return file.read(len(_HDF5)) != _HDF5
