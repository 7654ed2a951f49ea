"""When does somebody smile? Prints the seconds of a clip at which a face turns happy: python examples/smile_times.py CLIP."""

import sys

import emodetect

if len(sys.argv) != 2:
    sys.exit(__doc__)
smiling: set[int] = set()
for frame, result in emodetect.stream(sys.argv[1]):
    now = {
        face.track_id
        for face in result.readings
        if face.scores is not None and face.scores.dominant is emodetect.Emotion.HAPPY and not face.uncertain
    }
    for face_id in sorted(now - smiling):
        print(f"{frame.timestamp:7.2f} s  face {face_id} smiles")
    smiling = now
