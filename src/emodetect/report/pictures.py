"""Images in a report: a small copy of the clip that browsers can play, or stills; and a face per person."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import cv2
import numpy as np

from emodetect.errors import SourceError
from emodetect.faces.boxes import crop
from emodetect.media.ffmpeg import ffmpeg_program
from emodetect.media.letterbox import letterbox_filter
from emodetect.media.media_file import MediaFile
from emodetect.sources.video import VideoFile
from emodetect.system.child_processes import run_child
from emodetect.system.temporary_folders import scratch_file
from emodetect.types import Box, Frame, Image

_CLIP_WIDTH, _STILL_WIDTH, _FACE_WIDTH = 640, 480, 160
"""Maximum widths, pixels."""

_LEAD = 15.0
"""Seconds by which to seek before the start, since FFmpeg seeks to the next keyframe in some formats."""

_AROUND_FACE = 0.25
"""Margin of a thumbnail around the face's box, as a fraction of its side."""


class CopyError(Exception):
    """No small copy of the clip can be made; the message is a clause with the reason."""


def playable_copy(clip: Path | MediaFile, start: float, end: float, max_bytes: int) -> bytes:
    """Encode a clip range as a small H.264 file with pictures and sound only, which begins at the start of the range.

    Metadata, such as the place and time of the recording, is removed.

    Args:
        clip: the file.
        start: start of the range, seconds of media time.
        end: end of the range, seconds of media time.
        max_bytes: maximum size of the copy.

    Returns:
        An MP4 file.

    Raises:
        SourceError: the clip cannot be read.
        OutputError: FFmpeg cannot be used.
        CopyError: the copy would be too large, FFmpeg cannot create it, or the range contains no pictures.
    """
    with VideoFile(clip) as source:
        return _copied(source, start, end, max_bytes)


def _copied(source: VideoFile, start: float, end: float, max_bytes: int) -> bytes:
    if source.is_turned_oddly:
        raise CopyError("FFmpeg would turn the pictures of this clip in another way")
    width, height = source.size
    across = 2 * max(1, min(_CLIP_WIDTH, width) // 2)
    down = 2 * max(1, round(across * height / width / 2))
    # Timestamps are rounded; without this millisecond the first frame could be missed.
    begin = max(0.0, start - 0.001)
    if source.is_untimed:  # FFmpeg cannot seek without timestamps
        inputs = source.file.input()
        part = f"setpts=N/({source.frames_per_second:.6f}*TB),trim={begin}:{end},setpts=PTS-STARTPTS,"
    else:
        lead = min(begin, _LEAD)
        inputs = [*source.file.input("-ss", str(begin - lead)), "-ss", str(lead), "-t", str(end - start)]
        part = ""
    with scratch_file("copy.mp4") as file:
        # fmt: off
        command = [
            ffmpeg_program(), "-nostdin", "-loglevel", "error", *inputs, *source.file.map_video(), "-map", "0:a:0?",
            "-map_metadata", "-1", "-map_chapters", "-1",
            "-vf", f"{part}{letterbox_filter(source.size)},scale={across}:{down},setsar=1", "-c:v", "libx264",
            "-preset", "veryfast", "-crf", "26", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac", "-b:a", "96k",
            "-movflags", "+faststart", "-fs", str(max_bytes), "-progress", "pipe:1", "-f", "mp4", "-y", f"file:{file.path}",
        ]
        # fmt: on
        done = run_child(command, descriptors=(*source.file.descriptors, *file.descriptors))
        copy = b"" if done.returncode else file.read()
        if len(copy) >= 0.98 * max_bytes:
            raise CopyError(f"a small copy of the clip would be larger than {max_bytes / 1e6:g} MB")
        counts = re.findall(rb"^frame=(\d+)", done.stdout, re.MULTILINE)
        if not copy or not counts or not int(counts[-1]):  # without pictures there may still be sound
            raise CopyError("FFmpeg cannot make a small copy of the clip")
        return copy


def frames_at(clip: Path | MediaFile, numbers: Collection[int]) -> Iterator[Frame]:
    """Read frames of a clip by their numbers, in order.

    Args:
        clip: the file.
        numbers: numbers of the frames, from 0.

    Raises:
        SourceError: the clip cannot be read or has fewer frames.
    """
    missing = set(numbers)
    if not missing:
        return
    with VideoFile(clip) as frames:
        for frame in frames:
            if frame.index in missing:
                missing.remove(frame.index)
                yield frame
                if not missing:
                    return
    raise SourceError(f"{frames.path}: has no frame {min(missing)}; is it the clip that the log was made of?")


def picture_size(clip: Path | MediaFile) -> tuple[int, int]:
    """Width and height of a clip's pictures, pixels.

    Raises:
        SourceError: the clip cannot be read.
    """
    with VideoFile(clip) as frames:
        return frames.size


def encode_still(image: Image) -> str:
    """Encode a reduced image as a ``data:`` URL."""
    return data_address(_reduced(image, _STILL_WIDTH))


def encode_face(image: Image, box: Box) -> str | None:
    """Encode a face with a margin as a ``data:`` URL; None if the box is outside the image.

    Args:
        image: uint8 (height, width, 3) BGR.
        box: the face.
    """
    margin = round(_AROUND_FACE * box.width)
    wider = Box(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)
    place = wider.clipped(image.shape[1], image.shape[0])
    return data_address(_reduced(crop(image, place), _FACE_WIDTH)) if place.width and place.height else None


def data_address(image: Image) -> str:
    """Encode an image as a ``data:`` URL of a JPEG."""
    return address("image/jpeg", np.asarray(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 82])[1]).tobytes())


def address(kind: str, content: bytes) -> str:
    """Encode bytes as a ``data:`` URL.

    Args:
        kind: media type, such as "image/jpeg".
        content: the bytes.
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _reduced(image: Image, max_width: int) -> Image:
    height, width = image.shape[:2]
    if width <= max_width:
        return image
    return np.asarray(
        cv2.resize(image, (max_width, max(1, round(height * max_width / width))), interpolation=cv2.INTER_AREA), np.uint8
    )
