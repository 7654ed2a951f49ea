"""Overlay: boxes, labels and score panels on a copy of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import cv2
import numpy as np

from emodetect.drawing.history_strip import Strip
from emodetect.drawing.label_placement import SLOTS_BESIDE, LabelPlace, leader, place_labels
from emodetect.drawing.lettering import LINE, Lettering, draw_tag, tag_size, unit_for
from emodetect.drawing.palette import BLACK, COLORS, UNKNOWN_COLOR, WHITE, Color, color_of
from emodetect.drawing.style import Style
from emodetect.faces.boxes import intersection_over_smaller, intersections
from emodetect.types import EMOTIONS, Box, EmotionScores, FaceReading, FrameResult, Image

__all__ = ["COLORS", "UNKNOWN_COLOR", "Layout", "Strip", "Style", "draw", "label", "mirrored", "resized"]

_STATUS_COLOR: Color = (40, 40, 40)
_FRAME_COLOR: Color = (90, 90, 90)
"""Color of the frames around a panel's bars, BGR."""

_MOST_LINES = 3
"""Maximum number of lines of a message."""

_LETTERS = 0.78
"""Size of the letters in a line of small text, as a fraction of its height."""

_SMALLER = 0.7
"""Factor by which the letters of a label shrink if there is little room."""

_SHARES = 1.0, 0.85, 0.7
"""Letter sizes that are tried in a single image, relative to its text."""

_SAME_PLACE = 0.5
"""Intersection over the smaller area from which on two boxes are the same face."""

_PANEL_SHADE = 0.25
"""Brightness of the image behind a panel, as a fraction of the original."""


@dataclass
class Layout:
    """Positions of labels and panels in the previous frame, which are kept as long as possible.

    Attributes:
        labels: slot of each label at its face, by track id.
        panels: side of each panel, by track id.
    """

    labels: dict[int, int] = field(default_factory=dict)
    panels: dict[int, int] = field(default_factory=dict)


def draw(
    image: Image,
    readings: Sequence[FaceReading],
    *,
    status: Sequence[str] = (),
    banner: Sequence[str] = (),
    bars: bool = True,
    labels: bool = True,
    strip: Strip | None = None,
    style: Style | None = None,
    layout: Layout | None = None,
    marks: Sequence[Box] = (),
    seen: Sequence[Box] = (),
) -> Image:
    """Draw boxes, labels and score panels.

    Texts overlap neither each other nor other faces, and stay inside the image. What does not fit is dropped, panels first. In
    a single image the letters of a panel are as large as those of its label.

    Args:
        image: uint8 (height, width, 3) BGR; not changed.
        readings: the faces; for frames of a video as returned by `emodetect.emotions.stable_labels`.
        status: lines for the top left corner.
        banner: messages near the bottom, the last one lowest.
        bars: whether each face has a panel with its seven scores.
        labels: whether each face has a label.
        strip: history along the bottom, with one row per face; labels then begin with the number of the row.
        style: language and lettering; None for English.
        layout: positions of labels and panels, carried from frame to frame; None for a single image.
        marks: boxes to keep free for other drawings.
        seen: possible face regions, as in `FrameResult`; labels and panels also avoid those without a reading.

    Returns:
        A new image of the same size.
    """
    style = style or Style()
    canvas = image.copy()
    size = canvas.shape[1], canvas.shape[0]
    unit = unit_for(size)
    taken = [strip.place(size, unit)] if strip else []
    notices = _place_notices(status, banner, size, unit, style.lettering, bottom=taken[0].y if taken else size[1])
    taken += [*marks, *(box for _, box in notices), *_others(seen, [reading.box for reading in readings])]
    arrange = partial(_arrange, readings, size, unit, style, taken, bars=bars, labels=labels, numbered=strip is not None)
    scored = sum(reading.scores is not None for reading in readings)
    texts, places, panels = _single_arrangement(arrange, unit, scored if bars else 0) if layout is None else arrange(layout)
    layout = layout or Layout()
    # A slot inside the face is not kept, so that the label moves as soon as a better one is free.
    slots = {r.track_id: p.slot for r, p in zip(readings, places, strict=True) if p and p.slot is not None}
    layout.labels = {number: slot for number, slot in slots.items() if slot in SLOTS_BESIDE}
    layout.panels = {r.track_id: p[2] for r, p in zip(readings, panels, strict=True) if p}
    for reading, panel in zip(readings, panels, strict=True):
        if reading.scores is not None and panel is not None:
            _draw_panel(canvas, reading.scores, *panel[:2], style)
    for reading in readings:
        _draw_box(canvas, reading, unit)
    for reading, place in zip(readings, places, strict=True):
        if place is not None and place.slot is None:
            _draw_leader(canvas, reading, place.box, unit)
    if strip:
        strip.draw(canvas, unit, style)
    for reading, place, choice in zip(readings, places, texts, strict=True):
        if place is not None:
            corner = place.box.x, place.box.y
            text, size_of_letters = choice[place.form]
            draw_tag(canvas, style.lettering, text, corner, size_of_letters, color_of(reading.shown))
    for text, box in notices:
        draw_tag(canvas, style.lettering, text, (box.x, box.y), unit, _STATUS_COLOR)
    return np.asarray(canvas)


_Forms = list[tuple[str, float]]
"""Forms of a label: its text and the size of its letters, pixels."""

_Arrangement = tuple[list[_Forms], list[LabelPlace | None], list["tuple[_Panel, Box, int] | None"]]
"""Forms of each face's label, the position of the label, and its panel with its box and side."""


def _arrange(
    readings: Sequence[FaceReading],
    size: tuple[int, int],
    unit: float,
    style: Style,
    taken: Sequence[Box],
    before: Layout,
    *,
    bars: bool,
    labels: bool,
    numbered: bool,
    letters: float | None = None,
) -> _Arrangement:
    """Place labels and panels.

    Args:
        readings: the faces.
        size: width and height of the image, pixels.
        unit: size of text in the image, pixels.
        style: language and lettering.
        taken: boxes to keep free.
        before: positions in the previous frame.
        bars: whether there are panels.
        labels: whether there are labels.
        numbered: whether labels begin with the number of the face.
        letters: letter size of labels and panels, pixels; None for labels with the size of text in the image, and panels as high
            as their faces.
    """
    texts = [_label_forms(reading, style, letters or unit, numbered=numbered) if labels else [] for reading in readings]
    forms = [[tag_size(style.lettering, *form) for form in forms] for forms in texts]
    boxes = [reading.box for reading in readings]
    places = place_labels(boxes, forms, size, taken, [before.labels.get(reading.track_id) for reading in readings])
    if not bars:
        return texts, places, [None] * len(readings)
    occupied = [*taken, *boxes, *(place.box for place in places if place)]
    panels: list[tuple[_Panel, Box, int] | None] = []
    for reading, place, choice in zip(readings, places, texts, strict=True):
        own = choice[place.form][1] if place and letters else letters
        panel = _panel_for(reading.box, unit, own, style)
        kept = before.panels.get(reading.track_id, -1)
        placed = _place_panel(reading.box, panel, size, unit, occupied, kept) if reading.scores is not None else None
        panels.append(placed)
        if placed is not None:
            occupied.append(placed[1])
    return texts, places, panels


def _single_arrangement(arrange: Callable[..., _Arrangement], unit: float, scored: int) -> _Arrangement:
    """Place labels and panels in a single image, with the largest letters that leave room for all panels, or else for most.

    Args:
        arrange: places them with a given letter size.
        unit: size of text in the image, pixels.
        scored: number of faces with scores.
    """
    best: _Arrangement | None = None
    for share in _SHARES:
        found = arrange(Layout(), letters=share * unit)
        if best is None or _count(found) > _count(best):
            best = found
        if _count(best) == scored:
            break
    assert best is not None
    return best


def _count(arrangement: _Arrangement) -> int:
    return sum(panel is not None for panel in arrangement[2])


def mirrored(result: FrameResult, width: int) -> FrameResult:
    """Mirror a result, as for the mirrored image.

    Args:
        result: result of the image.
        width: width of the image, pixels.
    """
    angles = [None if reading.angle is None else -reading.angle for reading in result.readings]
    flipped = _with_boxes(result, lambda box: replace(box, x=width - box.x - box.width))
    readings = (replace(reading, angle=angle) for reading, angle in zip(flipped.readings, angles, strict=True))
    return replace(flipped, readings=tuple(readings))


def resized(result: FrameResult, scale: float) -> FrameResult:
    """Scale a result by this factor, as for the scaled image."""
    return _with_boxes(result, lambda box: Box(*(round(scale * side) for side in box.as_dict().values())))


def _with_boxes(result: FrameResult, change: Callable[[Box], Box]) -> FrameResult:
    readings = tuple(replace(reading, box=change(reading.box)) for reading in result.readings)
    return replace(result, readings=readings, seen=tuple(map(change, result.seen)))


def label(reading: FaceReading, style: Style | None = None) -> str:
    """Label of a face: its emotion and confidence, or that it is uncertain."""
    if reading.scores is None:
        return "..."
    name = (style or Style()).name(reading.shown)
    # A label held by hysteresis while another emotion leads has no confidence.
    return f"{name} {reading.scores.confidence:.0%}" if reading.shown is reading.scores.dominant else name


def _label_forms(reading: FaceReading, style: Style, unit: float, *, numbered: bool) -> _Forms:
    """Forms of a label with their letter sizes: full, then without the confidence, then with smaller letters."""
    number = f"{reading.track_id}: " if numbered else ""
    forms = [(number + label(reading, style), unit)]
    if reading.shown is not None:
        forms.append((number + style.name(reading.shown), unit))
    smallest = max(_SMALLER * unit, _LETTERS * style.smallest_line)
    if smallest < unit:
        forms.append((forms[-1][0], smallest))
    return forms


def _place_notices(
    status: Sequence[str], banner: Sequence[str], size: tuple[int, int], unit: float, lettering: Lettering, *, bottom: int
) -> list[tuple[str, Box]]:
    """Texts and boxes of status and banner, truncated or wrapped to fit; the banner's last line is the lowest."""
    places: list[tuple[str, Box]] = []
    room = size[0] - tag_size(lettering, "", unit)[0]
    lines = [part for text in banner for part in lettering.wrapped(text, unit, room, _MOST_LINES)]
    # The last lines are kept if there are too many for half of the image.
    lines = lines[-max(1, round(size[1] / 2 / (LINE * unit))) :]
    for number, text in enumerate((*(lettering.shortened(text, unit, room) for text in status), *lines)):
        width, height = tag_size(lettering, text, unit)
        below = len(status) + len(lines) - number
        corner = (0, number * (height - 1)) if number < len(status) else ((size[0] - width) // 2, bottom - (1 + below) * height)
        places.append((text, Box(*corner, width, height)))
    return [(text, box) for text, box in places if text and box.lies_in(size[0], bottom)]


def _draw_box(canvas: Image, reading: FaceReading, unit: float) -> None:
    box, thickness = reading.box, max(2, round(unit / 8))
    corners = (box.x, box.y), (box.x + box.width - 1, box.y + box.height - 1)
    # Dark lines on both sides make the box visible on white, and the colored line makes it visible in the dark.
    cv2.rectangle(canvas, *corners, BLACK, thickness + 2 * max(1, round(unit / 26)))
    cv2.rectangle(canvas, *corners, color_of(reading.shown), thickness)


def _draw_leader(canvas: Image, reading: FaceReading, label_box: Box, unit: float) -> None:
    """Draw a leader line from a face to a label that is not beside it."""
    ends = leader(label_box, reading.box)
    thickness = max(1, round(unit / 12))
    cv2.line(canvas, *ends, BLACK, thickness + 2, cv2.LINE_AA)
    cv2.line(canvas, *ends, color_of(reading.shown), thickness, cv2.LINE_AA)


@dataclass(frozen=True)
class _Panel:
    """Score panel of one face: seven bars; sizes in pixels."""

    line: int
    text_width: int
    bar_width: int

    @property
    def width(self) -> int:
        return self.text_width + self.bar_width + 3 * self.margin

    @property
    def height(self) -> int:
        return self.line * len(EMOTIONS) + 2 * self.margin

    @property
    def margin(self) -> int:
        return max(2, self.line // 3)

    @property
    def unit(self) -> float:
        """Size of its text."""
        return _LETTERS * self.line


def _others(seen: Sequence[Box], faces: Sequence[Box]) -> list[Box]:
    """Regions that belong to none of these faces."""
    overlaps = intersection_over_smaller(seen, faces)
    return [box for box, row in zip(seen, overlaps, strict=True) if not (row > _SAME_PLACE).any()]


def _panel_for(box: Box, unit: float, letters: float | None, style: Style) -> _Panel:
    """Create the panel of a face.

    Args:
        box: box of the face.
        unit: size of text in the image, pixels.
        letters: letter size of the panel, pixels; None for a panel as high as the face, with readable lines that are no larger
            than other text.
        style: language and lettering.
    """
    least = style.smallest_line
    as_face = min(max(box.height / (len(EMOTIONS) + 1), least), max(unit, least))
    line = round(as_face if letters is None else max(letters / _LETTERS, least))
    panel = _Panel(line, 0, 3 * line)
    return replace(panel, text_width=max(style.lettering.width(style.name(emotion), panel.unit) for emotion in EMOTIONS))


def _place_panel(
    face: Box, panel: _Panel, size: tuple[int, int], unit: float, occupied: Sequence[Box], kept: int
) -> tuple[_Panel, Box, int] | None:
    """Place the panel at its previous side, or at the first free one."""
    boxes = _sides(face, panel, unit)
    within = np.asarray([box.lies_in(*size) for box in boxes])
    free = np.flatnonzero(within & (intersections(boxes, occupied).sum(axis=1) == 0))
    if not free.size:
        return None
    side = kept if kept in free else int(free[0])
    return panel, boxes[side], side


def _sides(box: Box, panel: _Panel, unit: float) -> list[Box]:
    """Boxes to the right, left, below and above, in order of preference; below and above also beyond a label."""
    gap, label_height = round(unit / 3), round(LINE * unit)
    bottom, top = box.y + box.height + gap, box.y - panel.height - gap
    corners = (
        (box.x + box.width + gap, box.y),
        (box.x - panel.width - gap, box.y),
        (box.x, bottom),
        (box.x, bottom + label_height),
        (box.x, top - label_height),
    )
    return [Box(x, y, panel.width, panel.height) for x, y in corners]


def _draw_panel(canvas: Image, scores: EmotionScores, panel: _Panel, place: Box, style: Style) -> None:
    area = canvas[place.y : place.y + place.height, place.x : place.x + place.width]
    area[:] = cv2.convertScaleAbs(area, alpha=_PANEL_SHADE)
    left, right = place.x + panel.margin, place.x + place.width - panel.margin
    start = right - panel.bar_width
    for row, (emotion, score) in enumerate(zip(EMOTIONS, scores.values, strict=True)):
        top, bottom = (place.y + panel.margin + round((row + part) * panel.line) for part in (0.2, 0.85))
        style.lettering.write(canvas, style.name(emotion), (left, bottom), panel.unit, WHITE)
        cv2.rectangle(canvas, (start, top), (right, bottom), BLACK, cv2.FILLED)
        end = start + round(panel.bar_width * float(score))
        if end > start:
            cv2.rectangle(canvas, (start, top), (end, bottom), COLORS[emotion], cv2.FILLED)
        cv2.rectangle(canvas, (start - 1, top - 1), (right + 1, bottom + 1), _FRAME_COLOR, 1)
