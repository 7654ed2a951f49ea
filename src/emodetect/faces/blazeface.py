"""Face detection with BlazeFace, full range (Bazarevsky et al. 2019, arXiv 1907.05047), a network of Google's MediaPipe.

It finds tilted, turned and partly covered faces, with landmarks of eyes, nose, mouth and ears. Its time does not depend on the
number of faces.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.backends.onnx_session import packaged_session
from emodetect.faces.boxes import intersection_over_union, without_nested
from emodetect.faces.detector import DetectorSettings, MinFace
from emodetect.faces.models import BLAZEFACE
from emodetect.faces.tracker import SAME_FACE, FaceTracker
from emodetect.types import Box, Detection, Image

SIDE = 192
"""Side of the network's input in training, pixels."""

_MULTIPLE = 32
"""Other inputs are possible, with sides that are multiples of this."""

_TILE_SIDES = (SIDE, 224, 256)
"""Possible sides of tiles, pixels. With 160, landmarks are less exact; with 288, more people are missed."""

_BATCH = 2
"""Maximum number of tiles per run of the network. One run of two tiles takes 8% less time than two runs. One of four saves
another 2%, but takes 18 MB more."""

_CELL = 4
"""Side of a cell of the output grid, pixels of the input; each output is relative to the center of its cell."""

_LANDMARKS = 6

_NEW_SCORE = 0.6
"""Minimum score of a new face. On 60 photos of 262 people, every box below it was false, and it missed no face."""

_KNOWN_SCORE = 0.5
"""Minimum score of a known face."""

_SURE_SCORE = 0.7
"""Score from which a single detection confirms a face in a clip."""

_DOUBTFUL_SCORE = 0.2
"""Minimum score of a doubtful face, which a second look must confirm. At 0.3 it looks again at half as many places, and confirms
one person less on 135 photos."""

_CONFIRMED_SCORE = 0.66
"""Score of a doubtful face that a second look has confirmed: the verifier is not stricter with it, and in a clip one detection is
not enough to show it."""

_SAME = 0.3
"""Intersection over union above which two outputs belong to one face and are averaged (as in MediaPipe)."""

_SAME_SIZED = 0.5
"""Intersection over union above which the outputs of two levels belong to one face at one size."""

_SMALLEST = 14
"""Side of the smallest face that the network finds in most photos, pixels of its input; at 13 it misses four more of the 262
people."""

_RELIABLE = 20
"""Side from which the network also finds faces in grainy and blurred photos. A smaller face suggests that others were missed, so
a finer level follows. On 75 other photos this found 7 more of 207 people; one photo in five needed it."""

_LARGE_ENOUGH, _STILL_LARGE_ENOUGH = 0.9, 0.7
"""Minimum size of a new face and of a known one, as fractions of the smallest wanted face. The size of a box is not exact, and a
face whose size is near the minimum must not appear and disappear."""

_STEP = 2.5
"""Maximum ratio of the scales of two levels; the network finds faces of 14 to about 100 pixels of its 192."""

_HARDLY_FINER = 0.6
"""Tile size, as a fraction of the image, above which a tile is hardly finer than the whole image. The whole image is then
searched only if the other levels find nobody. With 0.7, a portrait takes a fifth more time, for as many people: 2,242 instead of
2,241 of 2,326 on 135 photos in five variants, and 3,239 instead of 3,245 of 3,440 portraits with a roll of up to 75 degrees."""

_MIN_SAMPLES, _SAMPLE_SIDE = 2, 4
"""Samples per pixel of a level, in each direction: at least this many, and one per so many pixels of the image."""

_OVERLAP = 38
"""Minimum overlap of adjacent tiles, pixels; larger than the largest face that only this level finds."""

_SURROUNDED = 2.6
"""Side of the coarsest level, in sides of the image, at the scale of the other levels; a face that fills the image is too large
for the network. It finds 642 of 644 close-ups; with 2.2 it found 636."""

_SURROUNDED_MARGIN = 3
"""Minimum margin around the image on that level, pixels of the input. The sides of the input are 64 or 96, half the time of 128.
Of 2,583 close-ups it finds as many as with 128."""

_AROUND = 6.0
"""Side of the search region around a known face, in sides of the face."""

_TOGETHER, _SIMILAR = 5.0, 0.6
"""Maximum extent of the faces in one search region, in sides of its first face, and minimum ratio of their sides to that face."""

_FRAME_SIDE, _FRAME_UP = 1.113, 0.048
"""Conversion to the cascade's box: its side, and how much higher its center is, in sides of the network's box (medians of 281
faces in photos and clips that both detectors find)."""

_Numbers = npt.NDArray[np.float32]
_Pair = tuple[int, int]


class FaceConfirmer(Protocol):
    """Looks again at a doubtful face."""

    def confirm(self, image: Image, found: Detection) -> Detection | None:
        """The face as found again in uint8 (height, width, 3) BGR, or None."""


class BlazeFaceDetector:
    """Scans the whole image and, in overlapping tiles, at the finer levels that the minimum face size requires.

    Thread-safe.

    Args:
        min_face: minimum face size; smaller faces need more tiles and so more time.
        min_score: minimum score of a new face, 0 to 1.
        refiner: looks again at doubtful faces in scans, or None to leave them out.

    Attributes:
        min_face: as given.
        is_certain: False.

    Raises:
        ModelError: the network is missing or damaged.

    Example:
        >>> from emodetect.sources.images import read_image
        >>> [face] = BlazeFaceDetector().detect(read_image("examples/astronaut.jpg"))
        >>> face.landmarks.shape
        (6, 2)
    """

    is_certain = False

    def __init__(
        self,
        *,
        min_face: MinFace = DetectorSettings.min_face,
        min_score: float = _NEW_SCORE,
        refiner: FaceConfirmer | None = None,
    ) -> None:
        self.min_face, self._min_score, self._refiner = min_face, min_score, refiner
        packaged_session(BLAZEFACE)

    def detect(self, image: Image) -> list[Detection]:
        """Find faces in uint8 (height, width, 3) BGR, the most confident first; none in an image smaller than a face."""
        height, width = image.shape[:2]
        sides, whole = self._sides(width, height), max(width, height)
        found = self._confirmed(image, self._scan(image, sides))
        if not found and whole not in sides:
            found = self._confirmed(image, self._scan(image, [whole]))
        least, reliable = _LARGE_ENOUGH * self.min_face.pixels(height), sides[0] * _RELIABLE / SIDE
        if sides[0] > SIDE and any(least <= one.box.width < reliable for one in found):
            found = self._confirmed(image, [*found, *self._scan(image, [max(SIDE, sides[0] * _SMALLEST / _RELIABLE)], (SIDE,))])
        return self._finished(found, width, height)

    def detect_quick(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        """Find faces quickly in the next frame of a clip: in the whole image, and around known faces that were not found there.

        Args:
            image: uint8 (height, width, 3) BGR.
            known: predicted boxes of the known faces.

        Returns:
            The faces, the most confident first.
        """
        height, width = image.shape[:2]
        found = self._detect_square(image, max(width, height), width / 2, height / 2)
        seen = self._finished(found, width, height, known)
        overlaps = intersection_over_union(known, [detection.box for detection in seen])
        missed = [box for box, row in zip(known, overlaps, strict=True) if not (row >= SAME_FACE).any()]
        for side, x, y in _regions(missed):
            found += self._detect_square(image, side, x, y)
        return self._finished(found, width, height, known) if missed else seen

    def tracker(self) -> FaceTracker:
        """Create a tracker for these detections."""
        return FaceTracker()

    def _sides(self, width: int, height: int) -> list[float]:
        """Side of the square that the network's input covers at each level, pixels of the image, the smallest first."""
        whole = float(max(width, height))
        least = max(self.min_face.pixels(height) * SIDE / _SMALLEST, SIDE)  # images are never enlarged
        steps = max(0, math.ceil(math.log(whole / least, _STEP) - 0.1)) if whole > least else 0
        finer = [whole * (least / whole) ** (step / steps) for step in range(steps, 0, -1)]
        # The whole image is left out if a level of tiles is hardly finer.
        return [*finer, *([whole] if not finer or finer[0] < _HARDLY_FINER * whole else []), _SURROUNDED * whole]

    def _scan(self, image: Image, sides: Sequence[float], tile_sides: Sequence[int] = _TILE_SIDES) -> list[Detection]:
        """Find faces at these levels, the finest first; each level is computed from the previous one."""
        found: list[Detection] = []
        height, width = image.shape[:2]
        reduced, least = image, min(self._min_score, _KNOWN_SCORE if self._refiner is None else _DOUBTFUL_SCORE)
        for side in sides:
            size = max(1, round(width * SIDE / side)), max(1, round(height * SIDE / side))
            reduced = _resized(reduced, size)
            scale = np.asarray((width / size[0], height / size[1]), np.float32)
            if side < max(width, height):
                tile = _tile(*size, tile_sides)
            else:
                tile = _around(*size, 0 if side == max(width, height) else _SURROUNDED_MARGIN)
            tiles = [*_tiles(size, tile)]
            for first in range(0, len(tiles), _BATCH):
                found += self._run(reduced, tiles[first : first + _BATCH], tile, scale, least)
        return found

    def _confirmed(self, image: Image, found: Sequence[Detection]) -> list[Detection]:
        """Leave out doubtful faces, unless they are apart from the others and a second look confirms them."""
        is_new, least = self._min_score / _SURE_SCORE, _LARGE_ENOUGH * self.min_face.pixels(image.shape[0])
        sure = [one for one in found if one.confidence >= is_new]
        if self._refiner is not None:
            apart = without_nested([one for one in found if one.box.width >= least], _SAME)
            again = [self._refiner.confirm(image, one) for one in apart if one.confidence < is_new]
            sure += [replace(one, confidence=_CONFIRMED_SCORE / _SURE_SCORE) for one in again if one is not None]
        return sure

    def _detect_square(self, image: Image, side: float, x: float, y: float) -> list[Detection]:
        """Find faces in a square with this side and center, pixels; it may extend beyond the image."""
        height, width = image.shape[:2]
        left, top = max(0, math.floor(x - side / 2)), max(0, math.floor(y - side / 2))
        part = image[top : min(height, math.ceil(y + side / 2)), left : min(width, math.ceil(x + side / 2))]
        if not part.size:
            return []
        scale = SIDE / side
        size = (min(SIDE, max(1, round(part.shape[1] * scale))), min(SIDE, max(1, round(part.shape[0] * scale))))
        reduced = _resized(part, size)
        scales = np.asarray((part.shape[1] / size[0], part.shape[0] / size[1]), np.float32)
        tile = _around(*size)
        found = self._run(reduced, [*_tiles(size, tile)], tile, scales, _KNOWN_SCORE)
        return [detection.moved(left, top) for detection in found]

    def _run(self, picture: Image, tiles: Sequence[_Pair], tile: _Pair, scale: _Numbers, min_score: float) -> list[Detection]:
        """Run the network on tiles of a reduced image, given by left and top, and by width and height.

        Boxes are scaled by ``scale`` (x, y) to pixels of the image.
        """
        pixels = np.zeros((len(tiles), tile[1], tile[0], 3), np.uint8)
        height, width = picture.shape[:2]
        for one, (left, top) in zip(pixels, tiles, strict=True):
            part = picture[max(0, top) : min(height, top + tile[1]), max(0, left) : min(width, left + tile[0])]
            one[max(0, -top) :, max(0, -left) :][: part.shape[0], : part.shape[1]] = part
        found = []
        for place, faces in zip(tiles, run_network(pixels, min_score), strict=True):
            for score, answer in faces:
                points = (answer + np.asarray(place, np.float32)) * scale
                box = framed(points[0], float((answer[1] * scale).max()))
                found.append(Detection(box, score / _SURE_SCORE, points[2:].astype(np.float32)))
        return found

    def _finished(self, found: Sequence[Detection], width: int, height: int, known: Sequence[Box] = ()) -> list[Detection]:
        """Merge the detections of all levels, apply the score and size thresholds, and clip the boxes to the image."""
        overlaps = intersection_over_union([one.box for one in found], known) >= SAME_FACE
        sure = [
            one for one, row in zip(found, overlaps, strict=True) if row.any() or one.confidence >= self._min_score / _SURE_SCORE
        ]
        merged = [replace(one, box=one.box.clipped(width, height)) for one in without_nested(_averaged(sure), _SAME)]
        overlaps = intersection_over_union([one.box for one in merged], known) >= SAME_FACE
        least = np.where(overlaps.any(axis=1), _STILL_LARGE_ENOUGH, _LARGE_ENOUGH) * self.min_face.pixels(height)
        return [
            one
            for one, smallest in zip(merged, least, strict=True)
            if min(one.box.width, one.box.height) > 1 and one.box.width >= smallest
        ]


def _regions(faces: Sequence[Box]) -> Iterator[tuple[float, float, float]]:
    """Squares around faces, as side and center (x, y) in pixels; neighbors share a square."""
    rest = list(faces)
    while rest:
        first = rest.pop(0)
        unit = max(first.width, first.height)
        left, top, right, bottom = first.x, first.y, first.x + first.width, first.y + first.height
        for other in [*rest]:
            low, high = min(left, other.x), max(right, other.x + other.width)
            upper, lower = min(top, other.y), max(bottom, other.y + other.height)
            if max(high - low, lower - upper) <= _TOGETHER * unit and max(other.width, other.height) >= _SIMILAR * unit:
                left, top, right, bottom = low, upper, high, lower
                rest.remove(other)
        yield _AROUND * unit, (left + right) / 2, (top + bottom) / 2


def framed(center: _Numbers, side: float) -> Box:
    """The cascade's box of a face, from the center (x, y) and side of the network's box."""
    frame = _FRAME_SIDE * side
    left, top = float(center[0]) - frame / 2, float(center[1]) - _FRAME_UP * side - frame / 2
    return Box(round(left), round(top), round(frame), round(frame))


def run_network(pixels: npt.NDArray[np.uint8], min_score: float = _KNOWN_SCORE) -> list[list[tuple[float, _Numbers]]]:
    """Run the network on images of one size.

    Args:
        pixels: uint8 (images, height, width, 3) BGR; height and width are multiples of 32.
        min_score: minimum score of a face, 0 to 1.

    Returns:
        For each image, the highest score of each face and its points, float32 (8, 2), as `suppress` yields them.
    """
    boxes, logits = packaged_session(BLAZEFACE).run(["boxes", "logits"], {"pixels": pixels})
    columns = pixels.shape[2] // _CELL
    return [[*suppress(*decode(box, logit[:, 0], columns, min_score))] for box, logit in zip(boxes, logits, strict=True)]


def decode(boxes: _Numbers, logits: _Numbers, columns: int, min_score: float = _KNOWN_SCORE) -> tuple[_Numbers, _Numbers]:
    """Decode the network's outputs for the cells with a face.

    Args:
        boxes: float32 (cells, 16): x, y, width, height and six landmarks, pixels of the input relative to the cell's center. The
            cells are in order, row by row.
        logits: float32 (cells,).
        columns: number of cells in a row.
        min_score: minimum score of a face, 0 to 1.

    Returns:
        Scores, float32 (n,), ``min_score`` to 1, and points, float32 (n, 8, 2), pixels of the input: center, size, right eye,
        left eye, nose, mouth, right ear, left ear.
    """
    cells = np.flatnonzero(logits > math.log(min_score / (1 - min_score)))
    scores = (1 / (1 + np.exp(-logits[cells]))).astype(np.float32)
    answers = boxes[cells].reshape(-1, 2 + _LANDMARKS, 2).copy()
    row, column = np.divmod(cells, columns)
    middles = (np.stack([column, row], axis=1) + 0.5) * _CELL
    answers[:, [0, *range(2, 2 + _LANDMARKS)]] += middles[:, np.newaxis].astype(np.float32)
    return scores, answers


def suppress(scores: _Numbers, answers: _Numbers) -> Iterator[tuple[float, _Numbers]]:
    """Merge overlapping outputs by non-maximum suppression with score-weighted averages; the highest score first.

    Args:
        scores: float32 (n,).
        answers: float32 (n, 8, 2), as `decode` returns them.

    Yields:
        The highest score of each face, and float32 (8, 2).
    """
    order = np.argsort(-scores, kind="stable")
    low, high = answers[:, 0] - answers[:, 1] / 2, answers[:, 0] + answers[:, 1] / 2
    areas = answers[:, 1].prod(axis=1)
    while order.size:
        first = order[0]
        shared = np.clip(np.minimum(high[first], high[order]) - np.maximum(low[first], low[order]), 0, None).prod(axis=1)
        same = shared >= _SAME * (areas[first] + areas[order] - shared)
        same[0] = True
        # Doubtful outputs do not count for a certain face, so that its box does not depend on the minimum score.
        counted = order[same & (scores[order] >= min(_KNOWN_SCORE, scores[first]))]
        yield float(scores[first]), np.average(answers[counted], axis=0, weights=scores[counted]).astype(np.float32)
        order = order[~same]


def _averaged(found: Sequence[Detection]) -> list[Detection]:
    """Average the landmarks that all levels have found on a face, which reduces their error by a fifth."""
    overlaps = intersection_over_union([one.box for one in found], [one.box for one in found]) >= _SAME_SIZED
    weights = overlaps * np.asarray([one.confidence for one in found], np.float32)
    landmarks = np.stack([one.landmarks for one in found if one.landmarks is not None]) if found else np.empty(0)
    return [
        replace(one, landmarks=np.average(landmarks, axis=0, weights=row).astype(np.float32))
        for one, row in zip(found, weights, strict=True)
    ]


def _resized(image: Image, size: _Pair) -> Image:
    """Resize an image to (width, height). Averages of samples are close to those of all pixels, in a sixth of the time."""
    ratio = min(image.shape[1] / size[0], image.shape[0] / size[1])
    if ratio >= _MIN_SAMPLES:
        samples = max(_MIN_SAMPLES, math.ceil(ratio / _SAMPLE_SIDE))
        image = np.asarray(cv2.resize(image, (samples * size[0], samples * size[1]), interpolation=cv2.INTER_LINEAR), np.uint8)
    is_smaller = size[0] < image.shape[1]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR), np.uint8)


def _around(width: int, height: int, margin: int = 0) -> _Pair:
    """Width and height of the smallest input that contains an image with a margin."""
    across, down = (math.ceil((side + 2 * margin) / _MULTIPLE) * _MULTIPLE for side in (width, height))
    return across, down


def _tile(width: int, height: int, sides: Sequence[int] = _TILE_SIDES) -> _Pair:
    """Width and height, of these sides, of the tiles that cover an image with the fewest pixels.

    One tile larger than the usual ones does not replace several: scores are lower in it.
    """

    def count(tile: _Pair) -> int:
        return _count(width, tile[0]) * _count(height, tile[1])

    larger = [tile for tile in product(sides, sides) if count(tile) > 1]
    return min([(SIDE, SIDE), *larger], key=lambda tile: count(tile) * tile[0] * tile[1])


def _tiles(size: _Pair, tile: _Pair) -> Iterator[_Pair]:
    """Left and top of the overlapping tiles that cover an image; an image smaller than a tile is centered in it."""
    for top in _starts(size[1], tile[1]):
        for left in _starts(size[0], tile[0]):
            yield left, top


def _count(length: int, side: int) -> int:
    """Number of overlapping tiles that cover a length."""
    return 1 + max(0, math.ceil((length - side) / (side - _OVERLAP)))


def _starts(length: int, side: int) -> list[int]:
    count = _count(length, side)
    return [(length - side) // 2] if count == 1 else [round(start) for start in np.linspace(0, length - side, count)]
