"""Face detection with BlazeFace, full range (Bazarevsky et al. 2019, arXiv 1907.05047), the network of MediaPipe."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

NETWORK = Path(__file__).parent / "models" / "blazeface_full_range.onnx"

SIDE = 192
"""Side of the network's input, pixels."""

_GRID = 48
"""The network answers for each cell of a grid of so many rows and columns."""
