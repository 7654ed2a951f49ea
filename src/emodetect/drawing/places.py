"""Where labels go: near their faces, inside the picture, and never over each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from emodetect.faces.boxes import intersections
from emodetect.types import Box

Size = tuple[int, int]

SLOTS_BESIDE = range(4)
"""The slots over and under a face; those inside it come after them."""


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

    A place that covers no other face is better than one that does, one beside the face better than one inside, whatever the form,
    and the first form better than the others.

    Args:
        faces: where the faces are.
        forms: for each face the sizes that its label could have, the best first; none for no label.
        picture: width and height, pixels.
        taken: where no label may go.
        before: for each face the slot beside it that its label had in the picture before, which it keeps while it can; nothing
            where there is no such picture.

    Returns:
        For each face a place that lies in the picture and overlaps no other and nothing of ``taken``; None where no room is left.
    """
    labels: list[Box] = list(taken)
    places: list[LabelPlace | None] = []
    for number, (face, sizes, kept) in enumerate(zip(faces, forms, before or [None] * len(faces), strict=True)):
        others = [*faces[:number], *faces[number + 1 :]]
        place = (_near(face, sizes, picture, labels, others, kept) or _anywhere(face, sizes, picture, labels)) if sizes else None
        places.append(place)
        if place is not None:
            labels.append(place.box)
    return places


def _near(
    face: Box, sizes: Sequence[Size], picture: Size, labels: Sequence[Box], others: Sequence[Box], kept: int | None
) -> LabelPlace | None:
    places = [LabelPlace(form, *slot) for form, size in enumerate(sizes) for slot in _beside(face, size, picture)]
    places += [LabelPlace(form, *slot) for form, size in enumerate(sizes) for slot in _inside(face, size, picture)]
    places = [place for place in places if place.box.lies_in(*picture)]
    boxes = [place.box for place in places]
    free = intersections(boxes, labels).sum(axis=1) == 0
    alone = free & (intersections(boxes, others).sum(axis=1) == 0)
    same = alone & np.asarray([place.slot == kept for place in places], bool)
    return next((places[int(np.argmax(good))] for good in (same, alone, free) if good.any()), None)


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


def _anywhere(face: Box, sizes: Sequence[Size], picture: Size, labels: Sequence[Box]) -> LabelPlace | None:
    """The free place nearest to the face, for the smallest form."""
    form, (width, height) = min(enumerate(sizes), key=lambda item: item[1][0])
    # A place that is free can be moved left and up until it meets something: these are all that need a look.
    columns = {0, picture[0] - width, *(box.x + box.width for box in labels), *(box.x - width for box in labels)}
    rows = {0, picture[1] - height, *(box.y + box.height for box in labels), *(box.y - height for box in labels)}
    boxes = [Box(x, y, width, height) for y in sorted(rows) for x in sorted(columns)]
    boxes = [box for box in boxes if box.lies_in(*picture)]
    free = [box for box, covered in zip(boxes, intersections(boxes, labels).sum(axis=1), strict=True) if covered == 0]
    if not free:
        return None
    return LabelPlace(form, min(free, key=lambda box: _distance(box, face)), None)


def _distance(first: Box, second: Box) -> float:
    x = first.x + first.width / 2 - second.x - second.width / 2
    y = first.y + first.height / 2 - second.y - second.height / 2
    return float(np.hypot(x, y))
