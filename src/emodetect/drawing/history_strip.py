"""History strip at the bottom of an image: the emotions of each face over the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2

from emodetect.drawing.lettering import BASELINE, LINE, Lettering
from emodetect.drawing.palette import BLACK, WHITE, color_of, ink_on
from emodetect.drawing.style import Style
from emodetect.types import Box, Emotion, FrameResult, Image

_GAP = 0.5
"""Seconds without a face after which its band ends."""

_MAX_SHARE = 0.3
"""Maximum fraction of the image's height that the strip covers."""

_SHADE = 0.25
"""Brightness of the image behind the strip, as a fraction of the original."""


@dataclass
class _Band:
    """A span with one emotion, None for uncertain; start and end in seconds."""

    emotion: Emotion | None
    start: float
    end: float


class Strip:
    """Records the history of each face, and draws it as colored bands.

    Each face has a row, as far as there is room; `+2` means that two more faces have none. Time runs from left to right, also in
    a mirrored image, and the right end is now. The name of the emotion is in its band if it fits, and otherwise in the line above
    the rows, so that the colors need no legend.

    Args:
        seconds: length of the history.
        faces: maximum number of rows, for the most recent faces.
    """

    def __init__(self, seconds: float = 30.0, faces: int = 5) -> None:
        self._seconds, self._max_rows = seconds, faces
        self._now = 0.0
        # The oldest band first; each face has at least one.
        self._faces: dict[int, deque[_Band]] = {}

    def update(self, result: FrameResult) -> None:
        """Add the readings of the next frame, preferably as `StableLabels` returns them; timestamps must not decrease."""
        self._now = now = result.timestamp
        for reading in result.readings:
            if reading.scores is None:
                continue
            bands = self._faces.setdefault(reading.track_id, deque())
            if bands and now - bands[-1].end <= _GAP:
                bands[-1].end = now
                if bands[-1].emotion is not reading.shown:
                    bands.append(_Band(reading.shown, now, now))
            else:
                bands.append(_Band(reading.shown, now, now))
        for bands in self._faces.values():
            while bands and bands[0].end < now - self._seconds:
                bands.popleft()
        self._faces = {number: bands for number, bands in self._faces.items() if bands}

    def place(self, size: tuple[int, int], unit: float) -> Box:
        """Box of the strip in an image, with the height of its rows.

        Args:
            size: width and height of the image, pixels.
            unit: size of the text, see `emodetect.drawing.lettering`.
        """
        width, height = size
        line = _line(unit)
        rows = min(len(self._faces), self._max_rows, int(height * _MAX_SHARE / line) - 1)
        needed = line * (rows + 1) + 2 if rows > 0 else 0
        return Box(0, height - needed, width, needed)

    def draw(self, canvas: Image, unit: float, style: Style) -> None:
        """Draw the strip on an image.

        Args:
            canvas: uint8 (height, width, 3) BGR, drawn on.
            unit: size of the text.
            style: words and letters.
        """
        place = self.place((canvas.shape[1], canvas.shape[0]), unit)
        line = _line(unit)
        rows = place.height // line - 1
        if rows < 1:
            return
        area = canvas[place.y :]
        area[:] = cv2.convertScaleAbs(area, alpha=_SHADE)
        shown = sorted(sorted(self._faces, key=lambda number: (-self._faces[number][-1].end, number))[:rows])
        lettering, small = style.lettering, 0.85 * unit
        left = max(lettering.width(str(number), small) for number in shown) + round(0.7 * unit)
        unnamed: dict[Emotion | None, float] = {}
        for row, number in enumerate(shown):
            top = place.y + (row + 1) * line
            _write(canvas, lettering, str(number), round(0.35 * unit), top, line, small)
            track = Box(left, top + 1, place.width - left - 1, line - 2)
            for emotion, seconds in self._draw_bands(canvas, self._faces[number], track, small, style).items():
                unnamed[emotion] = unnamed.get(emotion, 0.0) + seconds
        end = f"+{len(self._faces) - rows}    0 s" if len(self._faces) > rows else "0 s"
        self._draw_heading(canvas, place.y, left, small, style, end, sorted(unnamed, key=lambda emotion: -unnamed[emotion]))

    def _draw_bands(
        self, canvas: Image, bands: Iterable[_Band], track: Box, unit: float, style: Style
    ) -> dict[Emotion | None, float]:
        """Draw one row; returns the seconds of each emotion whose name fits in none of its bands."""
        seconds: dict[Emotion | None, float] = {}
        named: set[Emotion | None] = set()
        for band in bands:
            start, end = (self._column(time, track) for time in (band.start, band.end))
            color = color_of(band.emotion)
            cv2.rectangle(canvas, (start, track.y), (end, track.y + track.height - 1), color, cv2.FILLED)
            # A dark edge separates bands of any two colors.
            cv2.line(canvas, (start, track.y), (start, track.y + track.height - 1), BLACK, 1)
            seconds[band.emotion] = seconds.get(band.emotion, 0.0) + band.end - band.start
            name = style.name(band.emotion)
            if style.lettering.width(name, unit) + 0.6 * unit < end - start:
                named.add(band.emotion)
                _write(canvas, style.lettering, name, start + round(0.35 * unit), track.y, track.height, unit, ink_on(color))
        return {emotion: shown for emotion, shown in seconds.items() if emotion not in named}

    def _column(self, time: float, track: Box) -> int:
        share = 1 - (self._now - time) / self._seconds
        return track.x + round(max(0.0, share) * (track.width - 1))

    def _draw_heading(
        self, canvas: Image, top: int, left: int, unit: float, style: Style, end: str, legend: Sequence[Emotion | None]
    ) -> None:
        """Draw the line above the rows: the times of both ends, and the emotions that no band names in between."""
        lettering, line = style.lettering, _line(unit / 0.85)
        start = f"-{self._seconds:.0f} s"
        _write(canvas, lettering, start, left, top, line, unit)
        right = canvas.shape[1] - lettering.width(end, unit) - round(0.35 * unit)
        _write(canvas, lettering, end, right, top, line, unit)
        x = left + lettering.width(start, unit) + round(unit)
        side = round(0.8 * unit)
        for emotion in legend:
            name = style.name(emotion)
            width = side + lettering.width(name, unit) + round(1.4 * unit)
            if x + width > right:
                break
            y = top + (line - side) // 2
            cv2.rectangle(canvas, (x, y), (x + side - 1, y + side - 1), color_of(emotion), cv2.FILLED)
            _write(canvas, lettering, name, x + side + round(0.3 * unit), top, line, unit)
            x += width


def _line(unit: float) -> int:
    return round(1.3 * unit)


def _write(
    canvas: Image, lettering: Lettering, text: str, x: int, top: int, line: int, unit: float, color: tuple[int, int, int] = WHITE
) -> None:
    """Write text vertically centered in a line of this height."""
    lettering.write(canvas, text, (x, top + round((line - LINE * unit) / 2 + BASELINE * unit)), unit, color)
