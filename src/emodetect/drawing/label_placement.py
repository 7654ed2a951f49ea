"""Label placement: near the faces, inside the image, without overlap of other labels or faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from emodetect.faces.boxes import intersections
from emodetect.types import Box

Size = tuple[int, int]

_SLOTS_BESIDE = range(4)
"""Slots above and below a face; those inside the face have higher numbers."""

_MARGIN = 0.5
"""Free space around a better position that a label needs to move there, in label heights, since the boxes of faces jitter."""

_MAX_CANDIDATES = 200
"""Maximum number of positions away from a face, the nearest first, that are checked for a leader line without crossings."""


@dataclass(frozen=True)
class LabelPlace:
    """Position of a label.

    Attributes:
        form: index of its form.
        box: its box.
        slot: its slot at the face; None away from the face, which requires a leader line.
    """

    form: int
    box: Box
    slot: int | None


_Slots = Callable[[Box, Size, Size], Iterator[tuple[Box, int]]]
"""Boxes of a label at a face and their slots, from the face, the label's size and the image's."""

Placed = tuple[LabelPlace, Box]
"""Position of a label, and the box of its face."""


def place_labels(
    faces: Sequence[Box],
    forms: Sequence[Sequence[Size]],
    picture: Size,
    taken: Sequence[Box] = (),
    before: Sequence[Placed | None] = (),
) -> list[LabelPlace | None]:
    """Place the label of each face: above it, below it, inside it, or at the nearest free position.

    Slots above or below the face are preferred to those inside it, and earlier forms to later ones. A form with smaller letters
    is used only if no slot is free for the larger ones. Away from the face only the narrowest form is used.

    In a video a label keeps its position relative to the face while that is free. It moves to a better one only if there is free
    space around it, so that labels do not flicker while the boxes of faces jitter.

    Args:
        faces: boxes of the faces.
        forms: possible sizes of each face's label, the best first; empty for no label.
        picture: width and height of the image, pixels.
        taken: boxes to keep free.
        before: position of each face's label in the previous frame, and the box of the face there; empty for a single image.

    Returns:
        For each face a position inside the image that overlaps no other label, no other face and no box of ``taken``; None if
        there is no room.
    """
    before = before or [None] * len(faces)
    labels: list[Box] = list(taken)
    places: list[LabelPlace | None] = [None] * len(faces)
    # Existing labels are placed first, so that a new face moves none of them.
    for number in sorted(range(len(faces)), key=lambda number: before[number] is None):
        face, sizes, placed = faces[number], forms[number], before[number]
        if not sizes:
            continue
        covered = [*labels, *faces[:number], *faces[number + 1 :]]
        kept = _kept(placed, face, sizes, picture, covered) if placed else None
        better = _better_place(kept, face, sizes, picture, covered) if kept else _place_near(face, sizes, picture, covered)
        place = better or kept or _place_anywhere(face, sizes, picture, covered)
        places[number] = place
        if place is not None:
            labels.append(place.box)
    return places


def leader(label: Box, face: Box) -> tuple[tuple[int, int], tuple[int, int]]:
    """End points of the leader line from a label to its face, pixels."""
    return _nearest(label, face), _nearest(face, label)


def _nearest(box: Box, other: Box) -> tuple[int, int]:
    """Point of a box that is nearest to the center of another."""
    x, y = other.x + other.width // 2, other.y + other.height // 2
    return min(max(x, box.x), box.x + box.width - 1), min(max(y, box.y), box.y + box.height - 1)


def _kept(before: Placed, face: Box, sizes: Sequence[Size], picture: Size, covered: Sequence[Box]) -> LabelPlace | None:
    """Position in the previous frame, moved with the face, for the same form or a shorter one; None if it is not free."""
    last, old = before
    for form, (width, height) in enumerate(sizes[last.form :], start=last.form):
        if last.slot is None:
            moved = last.box.moved(face.x - old.x, face.y - old.y)
            box = Box(min(max(0, moved.x), picture[0] - width), min(max(0, moved.y), picture[1] - height), width, height)
        else:
            slots = _slots_beside if last.slot in _SLOTS_BESIDE else _slots_inside
            box = next(box for box, slot in slots(face, (width, height), picture) if slot == last.slot)
        if box.lies_in(*picture) and not intersections([box], covered).any():
            return LabelPlace(form, box, last.slot)
    return None


def _place_near(face: Box, sizes: Sequence[Size], picture: Size, covered: Sequence[Box]) -> LabelPlace | None:
    """Best free slot above, below or inside the face."""
    places = [
        LabelPlace(form, box, slot)
        for slots, forms in _kinds(sizes)
        for form, size in forms
        for box, slot in slots(face, size, picture)
        if box.lies_in(*picture)
    ]
    free = intersections([place.box for place in places], covered).sum(axis=1) == 0
    return next((place for place, is_free in zip(places, free, strict=True) if is_free), None)


def _better_place(kept: LabelPlace, face: Box, sizes: Sequence[Size], picture: Size, covered: Sequence[Box]) -> LabelPlace | None:
    """Best slot of a better kind than the current one with free space around it."""
    if kept.form == 0 and kept.slot in _SLOTS_BESIDE:
        return None
    places: list[LabelPlace] = []
    for slots, forms in _kinds(sizes):
        first = len(places)
        for form, size in forms:
            space = round(_MARGIN * size[1])
            around = zip(*(slots(face.moved(0, by), size, picture) for by in (0, -space, space)), strict=True)
            places += [LabelPlace(form, *now) for now, *near in around if all(box.lies_in(*picture) for box, _ in (now, *near))]
        if (kept.slot in _SLOTS_BESIDE) == (slots is _slots_beside) and kept.slot is not None and kept.form in dict(forms):
            # A longer form is no reason to change sides, and later kinds are worse.
            places[first:] = [place for place in places[first:] if place.slot == kept.slot and place.form < kept.form]
            break
    free = intersections([_widened(place.box) for place in places], covered).sum(axis=1) == 0
    return next((place for place, is_free in zip(places, free, strict=True) if is_free), None)


def _kinds(sizes: Sequence[Size]) -> Iterator[tuple[_Slots, list[tuple[int, Size]]]]:
    """Kinds of slots at a face, the best first: above and below, then inside; smaller letters come last."""
    by_height: dict[int, list[tuple[int, Size]]] = {}
    for form, size in enumerate(sizes):
        by_height.setdefault(size[1], []).append((form, size))
    for forms in by_height.values():
        yield _slots_beside, forms
        yield _slots_inside, forms


def _widened(box: Box) -> Box:
    """The box with the margin that a better position needs."""
    space = round(_MARGIN * box.height)
    return Box(box.x - space, box.y - space, box.width + 2 * space, box.height + 2 * space)


def _slots_beside(face: Box, size: Size, picture: Size) -> Iterator[tuple[Box, int]]:
    """Boxes above and below a face, the best first, and their slots.

    A label that would leave the image is moved inside: vertically by at most half its height, so that it covers at most the hair
    or chin of the face.
    """
    height = size[1]
    over, under = face.y - height, face.y + face.height
    tops = max(over, min(0, over + height // 2)), min(under, max(picture[1] - height, under - height // 2))
    return zip(_corners(face, size, picture, tops), _SLOTS_BESIDE, strict=True)


def _slots_inside(face: Box, size: Size, picture: Size) -> Iterator[tuple[Box, int]]:
    """Boxes inside a face, the best first, and their slots."""
    corners = _corners(face, size, picture, (max(0, face.y), face.y + face.height - size[1]))
    return zip(corners, range(len(_SLOTS_BESIDE), 2 * len(_SLOTS_BESIDE)), strict=True)


def _corners(face: Box, size: Size, picture: Size, tops: Sequence[int]) -> Iterator[Box]:
    """Boxes at the left and right edge of a face for each top, moved into the image."""
    width, height = size
    for top in tops:
        for x in (face.x, face.x + face.width - width):
            yield Box(min(max(0, x), max(0, picture[0] - width)), top, width, height)


def _place_anywhere(face: Box, sizes: Sequence[Size], picture: Size, covered: Sequence[Box]) -> LabelPlace | None:
    """Nearest free position for the narrowest form, preferably one whose leader line crosses nothing."""
    form, (width, height) = min(enumerate(sizes), key=lambda item: item[1][0])
    # A free box can be moved left and up until it touches something, so that only such positions are checked.
    columns = {0, picture[0] - width, *(box.x + box.width for box in covered), *(box.x - width for box in covered)}
    rows = {0, picture[1] - height, *(box.y + box.height for box in covered), *(box.y - height for box in covered)}
    x = np.asarray(sorted(column for column in columns if 0 <= column <= picture[0] - width), np.int64)
    y = np.asarray(sorted(row for row in rows if 0 <= row <= picture[1] - height), np.int64)
    edges = np.asarray([(box.x, box.y, box.x + box.width, box.y + box.height) for box in covered], np.int64).reshape(-1, 4)
    meets_x = (x[:, np.newaxis] < edges[:, 2]) & (x[:, np.newaxis] + width > edges[:, 0])
    meets_y = (y[:, np.newaxis] < edges[:, 3]) & (y[:, np.newaxis] + height > edges[:, 1])
    free_y, free_x = np.nonzero(meets_y.astype(np.float32) @ meets_x.T.astype(np.float32) == 0)
    away = np.hypot(x[free_x] + width / 2 - face.x - face.width / 2, y[free_y] + height / 2 - face.y - face.height / 2)
    nearest = np.argsort(away, kind="stable")[:_MAX_CANDIDATES]
    boxes = [Box(int(x[free_x[index]]), int(y[free_y[index]]), width, height) for index in nearest]
    if not boxes:
        return None
    return LabelPlace(form, next((box for box in boxes if not _crosses(leader(box, face), covered)), boxes[0]), None)


def _crosses(line: tuple[tuple[int, int], tuple[int, int]], boxes: Sequence[Box]) -> bool:
    return any(cv2.clipLine((box.x, box.y, box.width, box.height), *line)[0] for box in boxes)
