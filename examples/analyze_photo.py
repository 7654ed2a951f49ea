"""Read the emotions off the faces in a photo: python examples/analyze_photo.py [PHOTO]."""

import sys
from pathlib import Path

import emodetect

photo = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("astronaut.jpg")
for face in emodetect.analyze(photo).readings:
    if face.scores is not None:
        print(f"face at ({face.box.x}, {face.box.y}): {face.scores.dominant} {face.scores.confidence:.0%}")
