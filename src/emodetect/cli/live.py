"""``emodetect live``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from emodetect.cli.options import (
    anonymize_option,
    backend_options,
    check_anonymize,
    debug_option,
    detector_options,
    make_backend,
    make_detector,
    make_verifier,
    max_pixels_option,
    overwrite_option,
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--source", default="0", show_default=True,
              help="Camera number, device, clip, or address of a stream (rtsp://, http://).")  # fmt: skip
@click.option("--mirror/--no-mirror", default=None,
              help="Show the picture as a mirror does.  [default: on for cameras]")  # fmt: skip
@click.option("--no-window", is_flag=True, help="Show nothing; use with --log or --record.")
@click.option("--log", type=click.Path(path_type=Path), metavar="FILE",
              help="Save the readings of every tracked frame: .jsonl, or .csv.")  # fmt: skip
@click.option("--record", type=click.Path(path_type=Path), metavar="FILE",
              help="Save the annotated pictures (H.264: .mp4, .mov or .mkv).")  # fmt: skip
@click.option("--duration", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="End after this time.")
@click.option("--loop", is_flag=True, help="Start a clip again at its end.")
@click.option("--smoothing", type=click.FloatRange(0), default=0.5, show_default=True, metavar="SECONDS",
              help="Time over which scores are averaged; 0 is off.")  # fmt: skip
@anonymize_option
@overwrite_option
@backend_options
@detector_options("10%")
@max_pixels_option
@debug_option
def live(
    source: str, mirror: bool | None, no_window: bool, log: Path | None, record: Path | None, duration: float | None,
    loop: bool, smoothing: float, anonymize: str | None, overwrite: bool,
    backend: str, model: str | None, labels: list[str] | None, uncertain: float | None, verify: bool, **detector: Any,
) -> None:  # fmt: skip
    """Show the emotions of the faces before a camera; q or Esc ends it."""
    from emodetect.faces.search import SCAN_EVERY
    from emodetect.faces.tracker import FaceTracker
    from emodetect.files import check_output
    from emodetect.live import LiveSession
    from emodetect.sinks.anonymized import AnonymizedSink
    from emodetect.sinks.background import BackgroundSink
    from emodetect.sinks.base import Sink
    from emodetect.sinks.records import RECORD_SUFFIXES, RecordWriter
    from emodetect.sinks.video_file import VIDEO_SUFFIXES, LiveRecording
    from emodetect.sinks.window import Window
    from emodetect.smoother import ScoreSmoother
    from emodetect.sources.camera import LiveCapture, LiveSource

    check_anonymize(anonymize, record, "--record")
    emotion_backend = make_backend(backend, model, labels)
    for path, suffixes in ((log, RECORD_SUFFIXES), (record, VIDEO_SUFFIXES)):
        if path is not None:
            check_output(path, overwrite=overwrite, suffixes=suffixes, streams=suffixes is RECORD_SUFFIXES)
    parsed = LiveSource.parse(source)
    with ExitStack() as stack:
        window = None if no_window else stack.enter_context(Window("emodetect"))
        face_detector = make_detector(**detector)
        capture = stack.enter_context(LiveCapture(parsed, loop=loop))
        records: Sink | None = stack.enter_context(RecordWriter(log, overwrite=overwrite)) if log else None
        recording: Sink | None = None
        if record:
            encoded: Sink = LiveRecording(record, capture.frames_per_second, overwrite=overwrite)
            if anonymize is not None:
                encoded = AnonymizedSink(encoded, anonymize)
            recording = stack.enter_context(BackgroundSink(encoded, capacity=30, drop=True))
        session = stack.enter_context(
            LiveSession(
                capture,
                face_detector,
                FaceTracker(confirm=2 * detector["min_neighbors"]),
                emotion_backend,
                verifier=make_verifier(verify),
                scan_every=SCAN_EVERY if anonymize is None else 0,
                smoother=ScoreSmoother(smoothing),
                uncertain_below=uncertain,
                records=records,
                recording=recording,
                window=window,
                mirror=parsed.kind == "camera" if mirror is None else mirror,
                duration=duration,
            )
        )
        statistics = session.run()
    click.echo(f"{statistics.captured} frames captured, {statistics.tracked} tracked, {statistics.shown} shown", err=True)
