from __future__ import annotations

import time
from pathlib import Path

from typing_extensions import override

from emodetect.faces.detector import MinFace
from emodetect.faces.haar import HaarDetector
from emodetect.faces.locator import FaceLocator
from emodetect.faces.tracker import FaceTracker
from emodetect.live.session import LiveOutputs, LiveSession
from emodetect.live.view import View
from emodetect.sinks.recorder import Recorder
from emodetect.sources.camera import LiveCapture, LiveSource
from emodetect.types import Detection, Image
from tests.builders import FakeBackend, MovingClip
from tests.cli.test_anonymize import count_faces
from tests.cli.test_video import read_video

MIN_FACE = MinFace(0.1, relative=True)


class SlowDetector(HaarDetector):
    """Takes as long as on a machine that has other things to do."""

    @override
    def detect(self, image: Image) -> list[Detection]:
        time.sleep(0.4)
        return super().detect(image)


def test_no_face_is_saved_before_it_was_looked_for(moving_clip: MovingClip, tmp_path: Path) -> None:
    """Between two looks this face moves by half its width."""
    recording = tmp_path / "a.mp4"
    with LiveCapture(LiveSource.parse(str(moving_clip.path))) as capture:
        while not capture.opened(timeout=1.0):
            pass
        recorder = Recorder(lambda: recording, capture.frames_per_second, anonymize="box")
        recorder.start(recording)
        session = LiveSession(
            capture,
            FaceLocator(SlowDetector(min_face=MIN_FACE), tracker=FaceTracker(), scan_every=0),
            [FakeBackend],
            view=View(mirror=False, min_face=MIN_FACE, smoothing=0.5),
            outputs=LiveOutputs(recorder=recorder, anonymize_by="box"),
        )
        with recorder:
            statistics = session.run()

    pictures = read_video(recording)
    assert sum(count_faces(picture) for picture in pictures[::3]) == 0
    assert 1 <= statistics.shown <= statistics.tracked < 10  # fewer where the machine is slow
    # They are shown for as long as the clip takes.
    assert len(pictures) > 40
