"""The seam for a second opinion on what the detector takes for a face."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emodetect.types import Image


class FaceVerifier(ABC):
    """Tells faces from everything else."""

    @abstractmethod
    def are_faces(self, crops: Sequence[Image]) -> npt.NDArray[np.bool_]:
        """Judge uint8 (height, width, 3) BGR crops: bool (len(crops),)."""
