"""``emodetect live``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emodetect.backends.registry import BackendSettings
from emodetect.cli.factories import describe_backend, make_locator, make_style
from emodetect.cli.live_options import capture_options, publish_options
from emodetect.cli.messages import detail, note
from emodetect.cli.options import (
    anonymize_option,
    common_options,
    max_pixels_option,
    overwrite_option,
    pipeline_options,
    playlists_option,
    style_options,
)
from emodetect.cli.output_paths import check_anonymize, check_outputs
from emodetect.cli.shell_completion import complete_source
from emodetect.cli.types import OUTPUT, NumberRange, OutputPath
from emodetect.drawing.phrases import Phrase
from emodetect.settings.pipeline import LIVE, PipelineSettings
from emodetect.text.printable import counted

if TYPE_CHECKING:
    from emodetect.backends.base import EmotionBackend
    from emodetect.drawing.style import Style
    from emodetect.live.session import LiveStatistics
    from emodetect.live.window import Window
    from emodetect.publish.registry import PublishSettings
    from emodetect.sources.camera import LiveCapture, LiveSource
    from emodetect.sources.capture_format import CaptureFormat


_STRETCHED = "where a stream changes the size of its pictures, faces may be stretched and not be hidden"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--source", default="0", show_default=True, shell_complete=complete_source,
              help="Number or name of a camera, device, clip, stream (rtsp://, http://), or - for standard input.")  # fmt: skip
@click.option("--mirror/--no-mirror", default=None,
              help="Flip the window's image horizontally.  [default: on for cameras]")  # fmt: skip
@click.option("--fullscreen", is_flag=True, help="Show the window in full screen (key f).")
@click.option("--no-window", is_flag=True, help="Show no window; requires --log, --record or --publish.")
@click.option("--log", type=OUTPUT, metavar="FILE",
              help="Save the readings of every tracked frame: .jsonl or .csv; - prints JSON lines.")  # fmt: skip
@click.option("--record", type=OUTPUT, metavar="FILE",
              help="Save the annotated video (H.264: .mp4, .mov or .mkv).")  # fmt: skip
@click.option("--snapshots", type=OutputPath(exists=True, file_okay=False), metavar="FOLDER",
              default=".", help="Folder for snapshots (key s).  [default: the current folder]")  # fmt: skip
@click.option("--duration", type=NumberRange(0, min_open=True), metavar="SECONDS", help="Stop after this time.")
@click.option("--loop", is_flag=True, help="Restart a clip at its end.")
@click.option("--reconnect", type=NumberRange(0), default=0, show_default=True, metavar="SECONDS",
              help="How long to try to reconnect to a camera or stream that was lost or "
                   "delivered no frame for 2.5 s.")  # fmt: skip
@click.option("--follow-redirects", is_flag=True,
              help="Follow redirects and playlists (HLS) of a stream to other hosts.")  # fmt: skip
@capture_options
@publish_options
@anonymize_option
@overwrite_option
@style_options
@pipeline_options(LIVE)
@playlists_option
@max_pixels_option()
@common_options
def live(
    source: str, mirror: bool | None, fullscreen: bool, no_window: bool, log: Path | None, record: Path | None, snapshots: Path,
    duration: float | None, loop: bool, reconnect: float, follow_redirects: bool, form: CaptureFormat, anonymize: str | None,
    overwrite: bool, language: str | None, font: Path | None, publishing: PublishSettings, settings: PipelineSettings,
) -> None:  # fmt: skip
    """Show live video with the emotions of the faces. In the window, press ? for the keys, and q or Esc to quit."""
    from emodetect.faces.detectors import choices
    from emodetect.live.session import LiveOutputs, LiveSession
    from emodetect.live.snapshots import time_stamped
    from emodetect.live.view import View
    from emodetect.live.window import Window
    from emodetect.media.ffmpeg import ffmpeg_program
    from emodetect.sinks.recorder import Recorder
    from emodetect.sinks.records import RECORD_SUFFIXES, RecordWriter
    from emodetect.sinks.video_file import VIDEO_SUFFIXES
    from emodetect.sources.camera import LiveCapture, LiveSource

    check_anonymize(anonymize, record or not no_window or None, "--record")
    backends = _backends(settings.backend)
    check_outputs([(log, RECORD_SUFFIXES), (record, VIDEO_SUFFIXES)], overwrite=overwrite, streams=RECORD_SUFFIXES)
    parsed = LiveSource.parse(source)
    is_mirrored = parsed.kind == "camera" if mirror is None else mirror
    if anonymize is not None and parsed.kind in ("stream", "pipe"):
        note(f"emodetect: {parsed.name}: {_STRETCHED}")
    if record is not None or parsed.kind == "file":
        ffmpeg_program()
    style = None if no_window and record is None else make_style(language, font)
    with ExitStack() as stack:
        window = None if no_window else stack.enter_context(Window("emodetect", fullscreen=fullscreen))
        locator = make_locator(replace(settings, hide_faces=anonymize is not None))
        capture = LiveCapture(parsed, form, loop=loop, reconnect=reconnect, follow_redirects=follow_redirects)
        if not _opened(stack.enter_context(capture), window, style, parsed):
            return
        if no_window and log is None and record is None and not publishing.addresses:
            note("emodetect: no --log, --record or --publish is given; nothing will be shown or kept")
        detail(f"source {parsed.name}: a {parsed.kind} with {capture.frames_per_second:g} frames per second")
        publisher = stack.enter_context(publishing.open(lambda: capture.elapsed))
        records = stack.enter_context(RecordWriter(log, overwrite=overwrite, waits=False)) if log else None
        names = partial(time_stamped, ".mp4") if record is None else lambda: record
        recorder = stack.enter_context(Recorder(names, capture.frames_per_second, style=style, anonymize=anonymize))
        if record:
            recorder.start(record, overwrite=overwrite)
        session = LiveSession(
            capture,
            locator,
            backends,
            view=View(mirror=is_mirrored, min_face=settings.detector.min_face, smoothing=settings.smoothing),
            outputs=LiveOutputs(records, publisher, recorder, snapshots, anonymize),
            window=window,
            style=style,
            detectors=choices(settings.detector),
            uncertain_below=settings.uncertain_below,
            duration=duration,
        )
        statistics = session.run()
    _print_summary(statistics, [path for path in (log, *recorder.files) if path], snapshots)
    if parsed.kind == "file" and statistics.captured == 1 and duration is None:
        note(f"emodetect: {parsed.name}: holds one picture; --loop shows it for longer, 'emodetect image' reads photos")


def _opened(capture: LiveCapture, window: Window | None, style: Style | None, source: LiveSource) -> bool:
    """Wait for the source, and say so in the window; False if the user quits."""
    from emodetect.live.hud import waiting_picture
    from emodetect.live.window import wants_to_quit

    if window is not None and style is not None:
        window.set_title(source.title)
        window.show(waiting_picture(style, style.format(Phrase.OPENING, source=source.title)))
    while not capture.opened(timeout=0.02):
        if window is not None and wants_to_quit(window):
            return False
    return True


def _print_summary(statistics: LiveStatistics, files: Sequence[Path], snapshots: Path) -> None:
    """Print a summary of the session, and with ``--verbose`` why faces with high scores were uncertain."""
    from emodetect.system.output_files import STANDARD_OUTPUT

    files = [path for path in files if path != STANDARD_OUTPUT]
    parts = [f"{counted(statistics.captured, 'frame')} in {statistics.seconds:.1f} s"]
    if files:
        parts.append(f"saved {', '.join(map(str, files))}")
    if statistics.pictures:
        parts.append(f"{counted(statistics.pictures, 'picture')} in {snapshots.resolve()}")
    note("; ".join(parts))
    if statistics.turned_away:
        faces = counted(statistics.faces, "face")
        detail(f"turned too far to the side to be read: {statistics.turned_away} of {faces}, summed over frames")
    if statistics.faces and not statistics.classified:
        note("emodetect: no face was read: it ended before the backend was loaded")


def _backends(settings: BackendSettings) -> Sequence[Callable[[], EmotionBackend]]:
    """Factories of the backend of the options, followed by the others that a key switches to."""
    from importlib.util import find_spec

    # Created here, so that invalid options are reported before a window opens.
    describe_backend(settings.create(responsive=True), settings)
    chosen = settings.name, None if settings.model == "embedded" else settings.model
    others = [name for name in ("cnn", "deepface") if (name, None) != chosen and (name == "cnn" or find_spec(name))]
    plain = replace(settings, model=None, conventions=BackendSettings.conventions)
    # The preview must not freeze while TensorFlow holds the interpreter's lock.
    return [partial(one.create, responsive=True) for one in (settings, *(replace(plain, name=name) for name in others))]
