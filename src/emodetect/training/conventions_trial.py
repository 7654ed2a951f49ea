"""Measuring the conventions of a model file on labeled faces: the order of its labels, its scaling, and its channel order.

Combinations are ranked by calibrated cross-entropy, not by accuracy. If a network was trained on varied light, a wrong scaling
hardly changes its predictions, but makes the true labels less likely. Calibrated means that one temperature is fitted for each
combination (Guo et al. 2017), so that none benefits from lower confidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from emodetect.backends.base import EmotionBackend
from emodetect.backends.conventions import Channels, ModelConventions, Scaling
from emodetect.backends.labels import AFFECTNET_LABELS, EIGHT_LABELS, FERPLUS_LABELS, TUTORIAL_LABELS, known_label
from emodetect.errors import DatasetError, ModelError, UsageError
from emodetect.training.data.label_names import NUMBERED
from emodetect.training.data.labeled import LabeledCrops
from emodetect.types import EMOTIONS, Image

Orders = dict[str, tuple[str, ...]]
Preprocessing = tuple[Scaling | None, Channels | None]


def _plain(labels: Sequence[str]) -> tuple[str, ...]:
    """Convert labels to those of `EIGHT_LABELS`."""
    return tuple(known_label(label) or label for label in labels)


_SEVEN = len(EMOTIONS)
_AFFECTNET = tuple(NUMBERED["affectnet"][str(number)] for number in range(len(EIGHT_LABELS)))

ORDERS: dict[int, Orders] = {
    _SEVEN: {
        "alphabetical": TUTORIAL_LABELS,
        "FER-2013": EIGHT_LABELS[:_SEVEN],
        "FER+": _plain(FERPLUS_LABELS[:_SEVEN]),
        "AffectNet": _AFFECTNET[:_SEVEN],
        "RAF-DB": tuple(NUMBERED["raf-db"].values()),
        "KDEF": ("fear", "angry", "disgust", "happy", "neutral", "sad", "surprise"),
        "CK+": ("angry", "contempt", "disgust", "fear", "happy", "sad", "surprise"),
    },
    len(EIGHT_LABELS): {
        "alphabetical": _plain(AFFECTNET_LABELS),
        "FER+": _plain(FERPLUS_LABELS),
        "AffectNet": _AFFECTNET,
        "FER-2013": EIGHT_LABELS,
        "CK+": ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise"),
    },
}
"""Common label orders, by the number of labels."""

MEASURED = "measured"
"""Name of an order that is not among these and was measured on the faces."""

_SCALINGS = ("0..1", "-1..1", "0..255")

_GRAY_SCALINGS = (str(Scaling.of_mean([0.5077], [0.255])),)
"""Mean and standard deviation of FER-2013."""

_COLOR_SCALINGS = ("imagenet", "1,1,1,-103.939,-116.779,-123.68")
"""Means and standard deviations for color. The second is that of VGG16 and ResNet50 in Keras, for BGR."""

_MIN_SIGMAS = 4.0
"""Minimum distance from chance, in standard deviations, of a significant combination, given that many are tried."""

_TEMPERATURES = np.geomspace(0.2, 200, 60)
"""Temperatures to try; the largest makes all labels equally likely."""

_MIN_SCORE = 1e-7
"""Minimum score of a label, so that its logarithm is finite."""

_SCREENING_SIZE = 210
"""Number of faces on which all combinations are tried first. Those that are not clearly worse are tried on all faces."""

_CLEARLY, _LIKELY = 4.0, 1.96
"""Standard errors of a clear difference, and of a 95% interval."""

_BATCH = 64


@dataclass(frozen=True, eq=False)
class Combination:
    """Conventions for a model, with their results.

    Attributes:
        order: name of the label order; empty if options or the file state the order.
        conventions: the conventions.
        accuracy: balanced accuracy, 0 to 1.
        losses: float64 (n,), the calibrated cross-entropy of each face, weighted so that all labels count equally.
    """

    order: str
    conventions: ModelConventions
    accuracy: float
    losses: npt.NDArray[np.float64]

    @property
    def loss(self) -> float:
        """Mean calibrated cross-entropy; for random guesses it is the logarithm of the number of labels."""
        return float(self.losses.mean())

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary, as in the output format."""
        conventions = self.conventions
        return {
            "order": self.order or None,
            "labels": conventions.labels and list(conventions.labels),
            "scaling": conventions.scaling and str(conventions.scaling),
            "channels": conventions.channels,
            "balanced_accuracy": self.accuracy,
            "cross_entropy": self.loss,
        }


@dataclass(frozen=True)
class Margin:
    """Difference between the best combination and the best one that differs in one part.

    Attributes:
        part: "labels", "scaling" or "channels".
        other: the other combination.
        difference: cross-entropy of the other one minus that of the best.
        low: lower end of the 95% interval.
        high: upper end of the 95% interval.
    """

    part: str
    other: Combination
    difference: float
    low: float
    high: float

    @property
    def is_sure(self) -> bool:
        """Whether the difference is significant."""
        return self.low > 0


@dataclass(frozen=True)
class Trial:
    """The results of a trial.

    Attributes:
        tried: all combinations, the best first.
        count: number of faces.
        chance: accuracy of random guesses.
        margins: for each part that was tried, the difference to the best other value.
        channels_are_open: whether the channel order could not be measured, since all faces are gray.
    """

    tried: tuple[Combination, ...]
    count: int
    chance: float
    margins: tuple[Margin, ...]
    channels_are_open: bool

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary, as in the output format."""
        best = self.best
        return {
            "count": self.count,
            "chance": self.chance,
            "best": None if best is None else best.as_dict(),
            "margins": [
                {
                    "part": margin.part,
                    "next_best": margin.other.as_dict(),
                    "difference": margin.difference,
                    "interval_95": [margin.low, margin.high],
                    "sure": margin.is_sure,
                }
                for margin in self.margins
            ],
            "channels_are_open": self.channels_are_open,
            "tried": [one.as_dict() for one in self.tried],
        }

    @property
    def best(self) -> Combination | None:
        """The best combination; None if none is better than chance."""
        threshold = self.chance + _MIN_SIGMAS * math.sqrt(self.chance * (1 - self.chance) / self.count)
        return self.tried[0] if self.tried[0].accuracy > threshold else None


def sample_faces(faces: LabeledCrops, size: int) -> LabeledCrops:
    """Take a sample with about equally many faces per label; the same one on every call.

    Args:
        faces: all faces.
        size: maximum number of faces in the sample.
    """
    generator = np.random.default_rng(0)
    present = [np.flatnonzero(faces.labels == label) for label in np.unique(faces.labels)]
    each = max(1, size // len(present))
    chosen = np.sort(np.concatenate([generator.permutation(places)[:each] for places in present]))
    crops = tuple(faces.crops[place] for place in chosen)
    return LabeledCrops(crops, faces.labels[chosen], tuple(faces.keys[place] for place in chosen), faces.notes)


def try_conventions(
    backend: EmotionBackend,
    given: ModelConventions,
    faces: LabeledCrops,
    progress: Callable[..., object] = lambda *, completed, total: None,
) -> Trial:
    """Measure the likely conventions of a model. Conventions stated by options or the file's metadata are fixed.

    Args:
        backend: a loaded backend with a model file.
        given: conventions stated by options.
        faces: labeled faces.
        progress: called with ``completed`` and ``total``, the number of finished and of all runs over the faces.

    Raises:
        UsageError: the backend has no model file, or there is nothing to try.
        DatasetError: all faces have the same label.
        ModelError: the model returns no finite numbers.
    """
    if len(np.unique(faces.labels)) < 2:
        raise DatasetError("all faces have the same label; conventions are tried on faces of several labels")
    known = backend.description
    if known is None:
        raise UsageError(f"{backend.name}: reads no model file, whose conventions could be tried")
    count = len(known.labels.value[0])
    orders = ORDERS.get(count, {}) if known.labels.origin in ("assumed", "model") else {}
    scalings: list[Scaling | None] = [given.scaling]
    if known.scaling.origin in ("assumed", "model") and known.input_type.startswith("float"):
        names = (*_SCALINGS, *(_GRAY_SCALINGS if known.channels.origin == "model" else _COLOR_SCALINGS))
        scalings = list(dict.fromkeys([known.scaling.value, *map(Scaling.parse, names)]))
    channels: list[Channels | None] = [given.channels]
    is_open = known.channels.origin == "assumed"
    if is_open and not all(_is_gray(crop) for crop in faces.crops):
        channels, is_open = ["rgb", "bgr", "gray"], False
    if not orders and len(scalings) == len(channels) == 1:
        raise UsageError(f"{backend.name}: nothing is left to try; options or the file say its labels, scaling and channels")
    candidates = list(product(scalings, channels))
    few = sample_faces(faces, _SCREENING_SIZE)
    first = _evaluate_all(backend, given, candidates, orders, few, progress)
    best = first[0]
    promising = {_preprocessing(one) for one in first if _compare(best, one, reach=_CLEARLY)[1] <= 0}
    tried, dropped = first, list[Combination]()
    if len(few.keys) < len(faces.keys):
        tried = _evaluate_all(backend, given, [way for way in candidates if way in promising], orders, faces, progress)
        dropped = [one for one in first if _preprocessing(one) not in promising]
    chance = 1 / len(np.unique(faces.labels))
    return Trial((*tried, *dropped), len(faces.keys), chance, tuple(_margins(tried, first)), is_open)


def _preprocessing(one: Combination) -> Preprocessing:
    return one.conventions.scaling, one.conventions.channels


def _evaluate_all(
    backend: EmotionBackend,
    given: ModelConventions,
    candidates: Sequence[Preprocessing],
    orders: Orders,
    faces: LabeledCrops,
    progress: Callable[..., object],
) -> list[Combination]:
    """Try all label orders with each of these candidates; the best combination first."""
    tried: list[Combination] = []
    for number, (scaling, channels) in enumerate(candidates, start=1):
        tried += _evaluate(backend, replace(given, scaling=scaling, channels=channels), orders, faces)
        progress(completed=number, total=len(candidates))
    if not tried:
        raise ModelError(f"{backend.name}: gives no finite numbers in any scaling; it was saved broken")
    return _without_chance(sorted(tried, key=lambda one: one.loss))


def _evaluate(backend: EmotionBackend, conventions: ModelConventions, orders: Orders, faces: LabeledCrops) -> list[Combination]:
    """Run the model over the faces once and evaluate each label order; empty if the model returns no finite numbers."""
    count = len(next(iter(orders.values()), ()))
    # In this order, the position of each output is its position among the eight.
    backend.set_conventions(replace(conventions, labels=EIGHT_LABELS[:count]) if orders else conventions)
    classify = backend.classify_eight if orders else backend.classify
    crops = faces.crops
    try:
        outputs = np.concatenate([classify(crops[start : start + _BATCH]) for start in range(0, len(crops), _BATCH)])
    except ModelError:
        return []
    if not orders:
        return [_score_order("", conventions, outputs, faces)]
    outputs = outputs[:, :count]
    measured = _measure_order(outputs, faces.labels)
    if measured is not None and measured not in orders.values():
        orders = {**orders, MEASURED: measured}
    scored = []
    for name, order in orders.items():
        scores = np.zeros((len(outputs), len(EIGHT_LABELS)))
        scores[:, [EIGHT_LABELS.index(label) for label in order]] = outputs
        scored.append(_score_order(name, replace(conventions, labels=order), scores[:, :_SEVEN], faces))
    return scored


def _score_order(order: str, conventions: ModelConventions, scores: npt.NDArray[Any], faces: LabeledCrops) -> Combination:
    labels, counts = np.unique(faces.labels, return_counts=True)
    weights = (len(faces.labels) / len(labels) / counts)[np.searchsorted(labels, faces.labels)]
    accuracy = float((weights * (scores.argmax(axis=1) == faces.labels)).mean())
    logits = np.log(np.maximum(scores, _MIN_SCORE))
    fitted = [weights * _cross_entropy(logits / temperature, faces.labels) for temperature in _TEMPERATURES]
    return Combination(order, conventions, accuracy, min(fitted, key=lambda losses: float(losses.mean())))


def _cross_entropy(logits: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Cross-entropy of the softmax of each row of logits (n, 7) with its label (n,)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels], np.float64)


def _compare(best: Combination, other: Combination, reach: float = _LIKELY) -> tuple[float, float, float]:
    """Difference of the cross-entropies of two combinations on the same faces, with a confidence interval.

    Args:
        best: the first combination.
        other: the second one.
        reach: half the width of the interval, in standard errors.
    """
    differences = other.losses - best.losses
    mean, error = float(differences.mean()), float(differences.std()) / math.sqrt(len(differences))
    return mean, mean - reach * error, mean + reach * error


def _measure_order(outputs: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> tuple[str, ...] | None:
    """The label order measured on the faces; None if two halves of them give different orders.

    Args:
        outputs: (n, outputs), scores of each face by the position of the output.
        labels: (n,), positions in `EMOTIONS`.
    """
    orders = {_best_order(outputs[half::2], labels[half::2]) for half in range(2)}
    return orders.pop() if len(orders) == 1 else None


def _best_order(outputs: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> tuple[str, ...] | None:
    """The order with the highest accuracy; with eight outputs, the remaining one is contempt."""
    from scipy.optimize import linear_sum_assignment

    answers = outputs.argmax(axis=1)
    if len(np.unique(labels)) < _SEVEN:
        return None
    shares = [[float((answers[labels == label] == place).mean()) for place in range(outputs.shape[1])] for label in range(_SEVEN)]
    order = ["contempt"] * outputs.shape[1]
    for label, place in zip(*linear_sum_assignment(shares, maximize=True), strict=True):
        order[place] = EIGHT_LABELS[label]
    return tuple(order)


def _without_chance(tried: list[Combination]) -> list[Combination]:
    """Combinations, the best first, without measured orders, unless one is significantly better than every known order."""
    known = [one for one in tried if one.order != MEASURED]
    if tried[0].order == MEASURED and _compare(tried[0], known[0])[1] > 0:
        return tried
    return known


def _margins(tried: Sequence[Combination], first: Sequence[Combination]) -> Iterator[Margin]:
    """Yield the margin of each part that was tried.

    Args:
        tried: combinations tried on all faces, the best first.
        first: combinations tried on a few faces; those dropped after that are compared on these.
    """
    parts: dict[str, Callable[[Combination], object]] = {
        "labels": lambda one: one.conventions.labels,
        "scaling": lambda one: one.conventions.scaling,
        "channels": lambda one: one.conventions.channels,
    }
    on_few = next((one for one in first if one.conventions == tried[0].conventions), None)
    for name, part in parts.items():
        for best, others in ((tried[0], tried), (on_few, first)):
            other = next((one for one in others if best is not None and part(one) != part(best)), None)
            if best is not None and other is not None:
                yield Margin(name, other, *_compare(best, other))
                break


def _is_gray(crop: Image) -> bool:
    return bool((crop[..., :1] == crop).all())
