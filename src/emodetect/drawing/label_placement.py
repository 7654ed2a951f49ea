"""Label placement: near the faces, inside the image, without overlap of other labels or faces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from emodetect.faces.boxes import intersections
from emodetect.types import Box

Size = tuple[int, int]

SLOTS_BESIDE = range(4)
"""Slots above and below a face; those inside the face have higher numbers."""

_MOST_LOOKED_AT = 200
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


def place_labels(
    faces: Sequence[Box],
    forms: Sequence[Sequence[Size]],
    picture: Size,
    taken: Sequence[Box] = (),
    before: Sequence[int | None] = (),
) -> list[LabelPlace | None]:
    """Place the label of each face: above it, below it, inside it, or at the nearest free position.

    Slots above or below the face are preferred to those inside it, and earlier forms to later ones. A form with smaller letters
    is used only if no slot is free for the larger ones. Away from the face only the narrowest form is used.

    Args:
        faces: boxes of the faces.
        forms: possible sizes of each face's label, the best first; empty for no label.
        picture: width and height of the image, pixels.
        taken: boxes to keep free.
        before: slot of each face's label in the previous frame, which is kept while it is free; empty for a single image.

    Returns:
        For each face a position inside the image that overlaps no other label, no other face and no box of ``taken``; None if
        there is no room.
    """
    labels: list[Box] = list(taken)
    places: list[LabelPlace | None] = []
    for number, (face, sizes, kept) in enumerate(zip(faces, forms, before or [None] * len(faces), strict=True)):
        covered = [*labels, *faces[:number], *faces[number + 1 :]]
        place = (_near(face, sizes, picture, covered, kept) or _anywhere(face, sizes, picture, covered)) if sizes else None
        places.append(place)
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


def _near(face: Box, sizes: Sequence[Size], picture: Size, covered: Sequence[Box], kept: int | None) -> LabelPlace | None:
    """Best free slot above, below or inside the face; the previous one if it is still free."""
    by_height: dict[int, list[tuple[int, Size]]] = {}  # any slot at the face is preferred to smaller letters
    for form, size in enumerate(sizes):
        by_height.setdefault(size[1], []).append((form, size))
    places = [
        LabelPlace(form, *slot)
        for forms in by_height.values()
        for slots in (_beside, _inside)
        for form, size in forms
        for slot in slots(face, size, picture)
    ]
    places = [place for place in places if place.box.lies_in(*picture)]
    free = intersections([place.box for place in places], covered).sum(axis=1) == 0
    same = free & np.asarray([place.slot == kept for place in places], bool)
    return next((places[int(np.argmax(good))] for good in (same, free) if good.any()), None)


def _beside(face: Box, size: Size, picture: Size) -> Iterator[tuple[Box, int]]:
    """Boxes above and below a face, the best first, and their slots.

    A label that would leave the image is moved inside: vertically by at most half its height, so that it covers at most the hair
    or chin of the face.
    """
    height = size[1]
    over, under = face.y - height, face.y + face.height
    tops = max(over, min(0, over + height // 2)), min(under, max(picture[1] - height, under - height // 2))
    return zip(_corners(face, size, picture, tops), SLOTS_BESIDE, strict=True)


def _inside(face: Box, size: Size, picture: Size) -> Iterator[tuple[Box, int]]:
    """Boxes inside a face, the best first, and their slots."""
    corners = _corners(face, size, picture, (max(0, face.y), face.y + face.height - size[1]))
    return zip(corners, range(len(SLOTS_BESIDE), 2 * len(SLOTS_BESIDE)), strict=True)


def _corners(face: Box, size: Size, picture: Size, tops: Sequence[int]) -> Iterator[Box]:
    """Boxes at the left and right edge of a face for each top, moved into the image."""
    width, height = size
    for top in tops:
        for x in (face.x, face.x + face.width - width):
            yield Box(min(max(0, x), max(0, picture[0] - width)), top, width, height)


def _anywhere(face: Box, sizes: Sequence[Size], picture: Size, covered: Sequence[Box]) -> LabelPlace | None:
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
    nearest = np.argsort(away, kind="stable")[:_MOST_LOOKED_AT]
    boxes = [Box(int(x[free_x[index]]), int(y[free_y[index]]), width, height) for index in nearest]
    if not boxes:
        return None
    return LabelPlace(form, next((box for box in boxes if not _crosses(leader(box, face), covered)), boxes[0]), None)


def _crosses(line: tuple[tuple[int, int], tuple[int, int]], boxes: Sequence[Box]) -> bool:
    return any(cv2.clipLine((box.x, box.y, box.width, box.height), *line)[0] for box in boxes)
