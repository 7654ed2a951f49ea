"""scripts/find_false_faces, on a photo."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from tests.builders import PHOTO

SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_false_faces_are_saved_as_gray_crops(tmp_path: Path) -> None:
    """A photo with a face takes the place of a false detection, which no small picture has for certain."""
    pictures, output = tmp_path / "pictures", tmp_path / "negatives"
    pictures.mkdir()
    (pictures / "a.jpg").write_bytes(PHOTO.read_bytes())
    (pictures / "b.jpg").write_bytes(PHOTO.read_bytes())  # the same content counts once
    command = [sys.executable, str(SCRIPTS / "find_false_faces"), str(pictures), "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    crops = sorted(output.iterdir())
    assert done.stdout == f"{len(crops)} false faces from 1 pictures\n"
    assert crops
    for path in crops:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert (image.shape, image.dtype) == ((48, 48), np.uint8)
    assert (tmp_path / "negatives-sheet-0.png").is_file()
