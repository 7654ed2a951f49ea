"""Where labels go: near their faces, inside the picture, and never over each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from emodetect.faces.boxes import intersections
from emodetect.types import Box

Size = tuple[int, int]


@dataclass(frozen=True)
class LabelPlace:
    """A place for one of the forms of a label.

    Attributes:
        form: which of the forms that were offered.
        box: where it goes.
        beside: whether it touches its face; if not, something must show whose it is.
    """

    form: int
    box: Box
    beside: bool = True


def place_labels(
    faces: Sequence[Box], forms: Sequence[Sequence[Size]], picture: Size, taken: Sequence[Box] = ()
) -> list[LabelPlace | None]:
    """A place for each face's label: over it, under it, inside, or else the nearest that is free.

    A place that covers no other face is better than one that does, and the first form better than the others.

    Args:
        faces: where the faces are.
        forms: for each face the sizes that its label could have, the best first; none for no label.
        picture: width and height, pixels.
        taken: where no label may go.

    Returns:
        For each face a place that lies in the picture and overlaps no other and nothing of ``taken``; None where no room is left.
    """
    labels: list[Box] = list(taken)
    places: list[LabelPlace | None] = []
    for number, (face, sizes) in enumerate(zip(faces, forms, strict=True)):
        others = [*faces[:number], *faces[number + 1 :]]
        place = (_near(face, sizes, picture, labels, others) or _anywhere(face, sizes, picture, labels)) if sizes else None
        places.append(place)
        if place is not None:
            labels.append(place.box)
    return places


def _near(face: Box, sizes: Sequence[Size], picture: Size, labels: Sequence[Box], others: Sequence[Box]) -> LabelPlace | None:
    places = [LabelPlace(form, box) for form, size in enumerate(sizes) for box in _round(face, size, picture)]
    places = [place for place in places if place.box.lies_in(*picture)]
    boxes = [place.box for place in places]
    free = intersections(boxes, labels).sum(axis=1) == 0
    alone = free & (intersections(boxes, others).sum(axis=1) == 0)
    return next((places[int(np.argmax(good))] for good in (alone, free) if good.any()), None)


def _round(face: Box, size: Size, picture: Size) -> Iterator[Box]:
    """The places at a face, the best first; a label that is wider than the picture's edge allows moves inwards."""
    width, height = size
    bottom = face.y + face.height
    left, right = (min(max(0, x), max(0, picture[0] - width)) for x in (face.x, face.x + face.width - width))
    for y in (face.y - height, bottom, face.y, bottom - height):
        yield Box(left, y, width, height)
        if right != left:
            yield Box(right, y, width, height)


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
    return LabelPlace(form, min(free, key=lambda box: _distance(box, face)), beside=False)


def _distance(first: Box, second: Box) -> float:
    x = first.x + first.width / 2 - second.x - second.width / 2
    y = first.y + first.height / 2 - second.y - second.height / 2
    return float(np.hypot(x, y))
