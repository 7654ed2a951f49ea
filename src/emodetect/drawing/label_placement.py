"""Where labels go: near their faces, inside the picture, and never over each other or over another face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from emodetect.faces.boxes import intersections
from emodetect.types import Box

Size = tuple[int, int]

SLOTS_BESIDE = range(4)
"""The slots over and under a face; those inside it come after them."""


_MOST_LOOKED_AT = 200
"""Places away from a face that are looked at for one whose line crosses nothing, the nearest first."""


@dataclass(frozen=True)
class LabelPlace:
    """A place for one of the forms of a label.

    Attributes:
        form: which of the forms that were offered.
        box: where it goes.
        slot: which of the places at a face it is; None away from it, where something must show whose it is.
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
    """A place for each face's label: over it, under it, inside, or else the nearest that is free.

    A place beside the face is better than one inside, whatever the form, and the first form better than the others; a lower form,
    of smaller letters, comes after all places for the higher ones. Away from the face only the narrowest form is used.

    Args:
        faces: where the faces are.
        forms: for each face the sizes that its label could have, the best first; none for no label.
        picture: width and height, pixels.
        taken: where no label may go.
        before: for each face the slot beside it that its label had in the picture before, which it keeps while it can; nothing
            where there is no such picture.

    Returns:
        For each face a place that lies in the picture and overlaps no other place, no other face and nothing of ``taken``; None
        where no room is left.
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
    """The ends of a line from a label that stands elsewhere to its face, pixels."""
    return _nearest(label, face), _nearest(face, label)


def _nearest(box: Box, other: Box) -> tuple[int, int]:
    """The point of a box that is nearest to the middle of another."""
    x, y = other.x + other.width // 2, other.y + other.height // 2
    return min(max(x, box.x), box.x + box.width - 1), min(max(y, box.y), box.y + box.height - 1)


def _near(face: Box, sizes: Sequence[Size], picture: Size, covered: Sequence[Box], kept: int | None) -> LabelPlace | None:
    """The best place beside the face or inside that covers nothing; the one that was kept, if it does not."""
    by_height: dict[int, list[tuple[int, Size]]] = {}  # smaller letters are worse than any place at the face
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
    """The places over and under a face, the best first, and their slots.

    A label for which the picture ends too early moves inwards: up and down by at most half its height, so that it covers no more
    of the face than hair or chin.
    """
    height = size[1]
    over, under = face.y - height, face.y + face.height
    tops = max(over, min(0, over + height // 2)), min(under, max(picture[1] - height, under - height // 2))
    return zip(_corners(face, size, picture, tops), SLOTS_BESIDE, strict=True)


def _inside(face: Box, size: Size, picture: Size) -> Iterator[tuple[Box, int]]:
    """The places in a face, the best first, and their slots."""
    corners = _corners(face, size, picture, (max(0, face.y), face.y + face.height - size[1]))
    return zip(corners, range(len(SLOTS_BESIDE), 2 * len(SLOTS_BESIDE)), strict=True)


def _corners(face: Box, size: Size, picture: Size, tops: Sequence[int]) -> Iterator[Box]:
    """For each height the places at a face's left and right edge, moved into the picture."""
    width, height = size
    for top in tops:
        for x in (face.x, face.x + face.width - width):
            yield Box(min(max(0, x), max(0, picture[0] - width)), top, width, height)


def _anywhere(face: Box, sizes: Sequence[Size], picture: Size, covered: Sequence[Box]) -> LabelPlace | None:
    """The free place nearest to the face, for the narrowest form; one whose line to the face crosses nothing, if there is one."""
    form, (width, height) = min(enumerate(sizes), key=lambda item: item[1][0])
    # A place that is free can be moved left and up until it meets something: these are all that need a look.
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
