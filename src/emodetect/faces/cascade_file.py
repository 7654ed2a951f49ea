"""Safe loading of cascade files. OpenCV does not check the indices in them, and an invalid one crashes the process.

The file is parsed and checked here. OpenCV reads a new file with the checked contents only.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import cv2

from emodetect.errors import ModelError

_MAX_BYTES = 64 * 2**20
"""Maximum size of a cascade file; the largest ones of OpenCV have 3 MB."""

_MAX_SIDE = 1000
"""Maximum side of a cascade's window, pixels."""

_KINDS = {"HAAR": 0, "LBP": 256}
"""Number of values of each kind of feature; 0 for continuous values."""

_INTEGER = re.compile(r"-?(0|[1-9]\d{0,9})")


def missing_classifier() -> str | None:
    """Explain why OpenCV has no cascade classifier, as from version 5 on; None if it has one."""
    return None if hasattr(cv2, "CascadeClassifier") else f"OpenCV {cv2.__version__} has no cascade classifier"


def load_cascade(path: Path) -> Callable[[], cv2.CascadeClassifier]:
    """Load a cascade of Haar or LBP features trained by OpenCV 2.4 or newer (XML).

    Returns:
        A factory of classifiers; the file is read only once.

    Raises:
        ModelError: the file cannot be read, is no cascade, or contains invalid indices.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path}: is larger than {_MAX_BYTES // 2**20} MB, and no cascade")
        text = path.read_bytes().decode()
        if "<!DOCTYPE" in text:
            raise ValueError("it has a document type")
        root = ElementTree.fromstring(text)
        _check(_only(root, "cascade"))
        # Only the first element is read; the others are dropped.
        storage = Element("opencv_storage")
        storage.append(_only(root, "cascade"))
        make = functools.partial(_read, ElementTree.tostring(storage, encoding="unicode"))
        make()
        return make
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path}: not a cascade that OpenCV can read; it takes cascades trained by OpenCV 2.4 or newer, as XML ({error})"
        ) from error


def _read(text: str) -> cv2.CascadeClassifier:
    classifier = cv2.CascadeClassifier()
    try:
        storage = cv2.FileStorage(f'<?xml version="1.0"?>\n{text}\n', cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        classifier.read(storage.getFirstTopLevelNode())
    except (cv2.error, SystemError):
        raise ValueError("OpenCV refuses it") from None
    if classifier.empty():
        raise ValueError("OpenCV refuses it")
    return classifier


def _check(cascade: Element) -> None:
    """Check that every index in a cascade is valid: https://github.com/opencv/opencv, cascadedetect.cpp."""
    if any(element.attrib for element in cascade.iter() if element is not cascade):
        raise ValueError("a value is said to be of another type")
    kind = _text(cascade, "featureType")
    if cascade.get("type_id", "opencv-cascade-classifier") != "opencv-cascade-classifier" or kind not in _KINDS:
        raise ValueError("expected Haar or LBP features")
    width, height = (_integer(_text(cascade, name)) for name in ("width", "height"))
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise ValueError("the window's size is out of range")
    if _integer(_text(_only(cascade, "featureParams"), "maxCatCount")) != _KINDS[kind]:
        raise ValueError("maxCatCount does not match the features")
    features = list(_only(cascade, "features"))
    for feature in features:
        _check_haar(feature, width, height) if kind == "HAAR" else _check_lbp(feature, width, height)
    stages = list(_only(cascade, "stages"))
    if not stages:
        raise ValueError("it has no stages")
    for stage in stages:
        _number(_text(stage, "stageThreshold"))
        trees = list(_only(stage, "weakClassifiers"))
        if not trees:
            raise ValueError("a stage is empty")
        for tree in trees:
            _check_tree(tree, len(features), subset=_KINDS[kind] // 32)


def _check_tree(tree: Element, features: int, *, subset: int) -> None:
    """Check nodes of left, right, feature, then a threshold or a bit set of the feature's values in 32-bit words."""
    size = 3 + (subset or 1)
    values, leaves = _text(tree, "internalNodes").split(), _text(tree, "leafValues").split()
    count = len(values) // size
    if not count or len(values) % size or len(leaves) != count + 1:
        raise ValueError("a tree is cut short")
    for leaf in leaves:
        _number(leaf)
    for node in range(count):
        left, right, feature, *rest = values[node * size : (node + 1) * size]
        for child in (_integer(left), _integer(right)):
            # A later node, so that there are no cycles, or the negated index of a leaf.
            if not (node < child < count or 0 <= -child < len(leaves)):
                raise ValueError("a tree leads nowhere")
        if not 0 <= _integer(feature) < features:
            raise ValueError("a feature is missing")
        for value in rest:
            _integer(value) if subset else _number(value)


def _check_haar(feature: Element, width: int, height: int) -> None:
    tilted = any(_integer(element.text or "") for element in feature.findall("tilted"))
    rectangles = list(_only(feature, "rects"))
    if not 0 < len(rectangles) <= 3:
        raise ValueError("a feature has no or too many rectangles")
    for rectangle in rectangles:
        *sides, weight = (rectangle.text or "").split()
        _number(weight)
        x, y, w, h = (_integer(side) for side in sides)
        left, right, bottom = (x - h, x + w, y + w + h) if tilted else (x, x + w, y + h)
        if min(left, y) < 0 or min(w, h) < 0 or right > width or bottom > height:
            raise ValueError("a feature reaches out of the window")


def _check_lbp(feature: Element, width: int, height: int) -> None:
    x, y, w, h = (_integer(side) for side in _text(feature, "rect").split())
    if min(x, y, w, h) < 0 or x + 3 * w > width or y + 3 * h > height:
        raise ValueError("a feature reaches out of the window")


def _only(parent: Element, tag: str) -> Element:
    found = parent.findall(tag)
    if len(found) != 1:
        raise ValueError(f"expected one {tag}, got {len(found)}")
    return found[0]


def _text(parent: Element, tag: str) -> str:
    element = _only(parent, tag)
    if len(element):
        raise ValueError(f"{tag} holds something else")
    return (element.text or "").strip()


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()) or not -(2**31) <= int(text) < 2**31:
        raise ValueError(f"{text.strip()[:20]!r} is no whole number")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    return value
