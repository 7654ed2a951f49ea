"""Backend for model files. Properties that the file does not state are inferred or assumed, and reported."""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.backends.base import EmotionBackend
from emodetect.backends.conventions import ASSUMED_SCALING, UNSTATED, Channels, ModelConventions, Scaling
from emodetect.backends.description import Finding, ModelDescription, Origin, OutputDescription
from emodetect.backends.faces_input import FaceInput
from emodetect.backends.labels import EIGHT_LABELS, NO_LABEL, LabelMap, assumed_labels, mean_scores, mean_scores_eight
from emodetect.backends.limits import MAX_SIDE
from emodetect.backends.metadata import ModelMetadata, unknown_names
from emodetect.backends.network import Network, Shape, as_scores
from emodetect.backends.own_scaling import OwnScaling
from emodetect.backends.score_kind import ScoreKind, contradicts, find_kind
from emodetect.errors import ModelError, first_line
from emodetect.system.native_output import quiet_native_output
from emodetect.types import EMOTIONS, Image

_SIDES = (48, 64, 96, 112, 128, 160, 224, 256, 299)
"""Input sides that are tried if the network accepts any size, pixels."""

_EMOTION_OUTPUT = re.compile(r"emotion|expression|feeling|mood|(?<![a-z])(fer|emo)(?![a-z])", re.IGNORECASE)
"""Names of outputs with emotion scores."""


_MAX_NAMES, _MAX_NAME_LENGTH = 10, 60
"""Maximum number of output names in a message, and of characters per name."""

_BY_METADATA: Origin = "metadata"
_BY_OPTION: Origin = "option"

_MAX_DEPENDENCE = 0.2
"""Tolerance for the dependence of a face's scores on the other faces of the batch, as a fraction of the range of all scores. An
8-bit network that quantizes over the whole batch is off by a few percent."""


class _Layout(NamedTuple):
    """Layout of an input.

    Attributes:
        height: rows; None for any size.
        width: columns; None for any size.
        channels: 1 or 3.
        channels_first: whether the channel axis precedes rows and columns.
        axes: number of axes per face: 3, 2 without channels, 1 if flattened.
        batch: batch size; None for any, 0 without a batch axis.
    """

    height: int | None
    width: int | None
    channels: int
    channels_first: bool
    axes: int
    batch: int | None


class ModelFileBackend(EmotionBackend):
    """Classifies faces with a network from a file.

    The user's conventions take precedence, then the file's metadata, then what the network shows: its shapes, the scaling in its
    first layers, the names of its outputs, its last activation. Everything else is assumed as in the common tutorials (pixels
    from 0 to 1, alphabetical label order, RGB). `description` states these assumptions.

    Args:
        path: the file.
        conventions: conventions stated by the user.
        name: display name; None for the file's name.

    Attributes:
        network: the network, once it is loaded.
    """

    network: Network

    def __init__(self, path: Path, *, conventions: ModelConventions = UNSTATED, name: str | None = None) -> None:
        self.name = name or path.name
        self._path, self._conventions = path, conventions

    @abstractmethod
    def _open(self) -> Network:
        """Load the network.

        Raises:
            ModelError: the file cannot be used.
            BackendUnavailableError: a required package is missing.
        """

    @override
    def load(self) -> None:
        with quiet_native_output():
            self.network = self._open()
            self._layout = _read_layout(self._path, self.network)
        self._determine_conventions()

    @override
    def set_conventions(self, conventions: ModelConventions) -> None:
        self._conventions = conventions
        self._determine_conventions()

    def _determine_conventions(self) -> None:
        """Determine the conventions of the network."""
        network = self.network
        with quiet_native_output():
            scaling, channels = self._find_scaling(), self._find_channels()
            size, output, values = self._probe(scaling.value, channels.value)
        labels, self._outputs = self._find_labels(output, values)
        try:
            self._maps = [LabelMap(names) for names in labels.value]
        except ModelError as error:
            raise ModelError(str(error) if labels.origin == "option" else f"{self._path}: {error}") from error
        self._kinds = [
            self._find_kind(name, one.scores_of(values[name])) for name, one in zip(self._outputs, self._maps, strict=True)
        ]
        self.tells_contempt = any(one.has_contempt for one in self._maps)
        metadata = network.metadata
        if metadata:
            self.validation_accuracy = metadata.validation_accuracy(output.value)
        if metadata and metadata.uncertain_below is not None:
            self.uncertain_below = metadata.uncertain_below
        self.description = ModelDescription(
            name=self.name,
            format=network.describe_format(),
            parameters=network.count_parameters(),
            input_name=network.input_name,
            input_shape=network.input_shape,
            input_type=network.input_type,
            size=size,
            labels=labels,
            scaling=scaling,
            channels=channels,
            output=output,
            outputs=tuple(OutputDescription(n, shape, n in self._outputs) for n, shape in network.outputs.items()),
            scores=" and ".join(dict.fromkeys(self._kinds)),
            notes=self._notes(),
            facts=metadata.facts if metadata else {},
        )

    def _notes(self) -> tuple[str, ...]:
        """Further assumptions and problems, for the description."""
        metadata = self.network.metadata
        ignored = [f"{text}, which is ignored" for text in metadata.ignored] if metadata else []
        guessed = [
            f"its scores {name} are taken for independent ones of each emotion, as they lie from 0 to 1"
            for name, kind in zip(self._outputs, self._kinds, strict=True)
            if kind == "independent scores" and not self._stated_kind(name) and self.network.activation(name) is None
        ]
        return (*ignored, *guessed)

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        if not crops:
            return np.zeros((0, len(EMOTIONS)), np.float32)
        return mean_scores(self._maps, self._score(crops), self._kinds)

    @override
    def classify_eight(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        if not crops:
            return np.zeros((0, len(EIGHT_LABELS)), np.float32)
        return mean_scores_eight(self._maps, self._score(crops), self._kinds)

    def _score(self, crops: Sequence[Image]) -> list[npt.NDArray[np.float32]]:
        values = self._run(self._input, crops, self._outputs)
        for place, scores in enumerate(values):
            # The trial images may have suggested the wrong kind.
            if contradicts(self._maps[place].scores_of(scores), self._kinds[place]):
                self._kinds[place] = "logits"
        return values

    def _run(self, takes: FaceInput, crops: Sequence[Image], outputs: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        """Run the network on a batch of crops; each output is (len(crops), labels).

        Raises:
            ModelError: an output has another shape.
        """
        layout, network = self._layout, self.network
        batch = self._prepare(takes, crops)
        rows = layout.batch if layout.batch != 0 else 1
        parts = []
        for start in range(0, len(batch), rows or len(batch)):
            part = batch[start : start + (rows or len(batch))]
            count = len(part)
            if rows and count < rows:  # pad to the fixed batch size
                part = np.concatenate([part, np.repeat(part[-1:], rows - count, axis=0)])
            found = network.run(part[0] if layout.batch == 0 else part, outputs)
            scores = [as_scores(np.asarray(values), len(part)) for values in found]
            for name, values, score in zip(outputs, found, scores, strict=True):
                if score is None:
                    raise ModelError(
                        f"{self._path}: expected the output {name} to be (n, labels), got {_in_words(np.shape(values))} "
                        f"for a batch of {len(part)}"
                    )
            parts.append([score[:count] for score in scores if score is not None])
        return [np.concatenate(scores) for scores in zip(*parts, strict=True)]

    def _prepare(self, takes: FaceInput, crops: Sequence[Image]) -> npt.NDArray[np.generic]:
        batch = _as_type(takes.prepare(crops), self.network.input_type)
        shape = {1: (-1,), 2: (takes.height, takes.width), 3: batch.shape[1:]}[self._layout.axes]
        return batch.reshape(len(batch), *shape)

    def prepare(self, crops: Sequence[Image]) -> npt.NDArray[np.generic]:
        """Preprocess crops to one batch in the network's type and layout; requires a loaded backend."""
        return self._prepare(self._input, crops)

    @property
    def has_dynamic_batch(self) -> bool:
        """Whether the network accepts any batch size; requires a loaded backend."""
        return self._layout.batch is None

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs in order, from the metadata or else from the network; requires a loaded backend."""
        known, names = self.network.metadata, list(self.network.outputs)
        labeled = {name: label for label, name in self._labeled().items()}
        if known and known.face and known.face not in names and len(known.labels) < len(names):
            labeled[names[len(known.labels)]] = known.face
        return [labeled.get(name, name) for name in names]

    @property
    def metadata(self) -> ModelMetadata:
        """All known and assumed properties as metadata for a file; requires a loaded backend."""
        known, found = self.network.metadata or ModelMetadata({}), self.description
        assert found is not None
        names = dict(zip(self.network.outputs, self.output_names, strict=True))
        read = {names[output]: labels for output, labels in zip(self._outputs, found.labels.value, strict=True)}
        labels = {
            name: read.get(name) or known.labels[name] for name in self.output_names if name in read or name in known.labels
        }
        kinds = {names[output]: kind for output, kind in zip(self._outputs, self._kinds, strict=True)}
        default = found.output.value if len(self.network.outputs) > 1 else known.default
        default = default if default == "mean" else names.get(default or "", default)
        return replace(
            known,
            labels=labels,
            scaling=found.scaling.value,
            channels=found.channels.value,
            default=default,
            scores=known.scores | kinds,
            ignored=(),
        )

    def _find_scaling(self) -> Finding[Scaling]:
        network, given = self.network, self._conventions.scaling
        metadata = network.metadata
        pixels = Scaling.to_range(0, 255)
        own: OwnScaling | None = None
        if np.dtype(network.input_type).kind in "ui":
            found: Finding[Scaling] = Finding(pixels, "model", f"its input is {network.input_type}")
            if given is not None and given != pixels:
                raise ModelError(
                    f"{self._path}: takes pixels as they are ({network.input_type}), so that the scaling must be 0..255"
                )
        elif given is not None:
            found = Finding(given, "option")
        elif metadata and metadata.scaling:
            found = Finding(metadata.scaling, "metadata")
        else:
            own = network.own_scaling()
            if own is not None and own.expected is not None:
                found = Finding(own.expected, "model", f"for its own {own.layers}")
            else:
                reason = f"its own {own.layers} fits no usual range" if own else ""
                found = Finding(ASSUMED_SCALING, "assumed", reason)
        if len(found.value.scale) > self._layout.channels:
            raise ModelError(f"{self._path}: takes one channel, so that the scaling cannot have three")
        return found

    def _find_channels(self) -> Finding[Channels]:
        given, metadata = self._conventions.channels, self.network.metadata
        if self._layout.channels == 1:
            if given not in (None, "gray"):
                raise ModelError(f"{self._path}: takes one channel, which is gray, not {given}")
            return Finding("gray", "model")
        if given is not None:
            return Finding(given, "option")
        if metadata and metadata.channels:
            return Finding(metadata.channels, "metadata")
        return Finding("rgb", "assumed")

    def _probe(
        self, scaling: Scaling, channels: Channels
    ) -> tuple[Finding[tuple[int, int]], Finding[str], dict[str, npt.NDArray[np.float32]]]:
        """Run the network once on synthetic images, at each possible input size until one works.

        Returns:
            The size, the output to read, and the values of the relevant outputs.

        Raises:
            ModelError: the network cannot be run.
        """
        layout = self._layout
        is_open = layout.height is None or layout.width is None
        failure: ModelError | None = None
        for side in _SIDES if is_open else (0,):
            height, width = layout.height or side, layout.width or side
            takes = FaceInput(height, width, layout.channels, layout.channels_first, scaling, channels, self.network.min_contrast)
            pictures = _pictures(height, width)
            try:
                output, names = self._choose_output(takes, pictures)
                values = self._run(takes, pictures, names)
                if layout.batch not in (0, 1):
                    self._check_independence(values, self._run(takes, pictures[:1], names))
            except ModelError:
                raise
            except Exception as error:  # ONNX Runtime and TensorFlow have no common base class
                failure = failure or ModelError(f"{self._path}: the network cannot be run ({first_line(error)})")
                continue
            self._input = takes
            size: Finding[tuple[int, int]] = Finding((height, width), "assumed" if is_open else "model")
            return size, output, dict(zip(names, values, strict=True))
        assert failure is not None
        raise failure

    def _check_independence(self, values: Sequence[npt.NDArray[np.float32]], alone: Sequence[npt.NDArray[np.float32]]) -> None:
        """Check that the scores of the first image do not depend on the rest of the batch.

        Raises:
            ModelError: the scores depend on the batch.
        """
        for together, single in zip(values, alone, strict=True):
            if not np.allclose(together[:1], single, atol=_MAX_DEPENDENCE * max(float(np.ptp(together)), 1e-6)):
                cause = "such as by a softmax over the batch, or in training mode"
                raise ModelError(f"{self._path}: its scores of a face depend on the other faces of a batch, {cause}")

    def _choose_output(self, takes: FaceInput, pictures: Sequence[Image]) -> tuple[Finding[str], list[str]]:
        """Choose the output to read; returns it and the names of its outputs, several for their mean.

        Raises:
            ModelError: there is no output of that name, or the choice is ambiguous.
        """
        network, metadata, given = self.network, self.network.metadata, self._conventions.output_name
        names = list(network.outputs)
        labeled = self._labeled()
        default = metadata.default if metadata else None
        wanted, origin = given or default, _BY_METADATA if given is None else _BY_OPTION
        if wanted == "mean" and wanted not in names and labeled:
            return Finding(wanted, origin), list(labeled.values())
        if wanted is not None:
            chosen = labeled.get(wanted, wanted)
            if chosen not in names:
                raise ModelError(f"{self._path}: has no output {wanted!r}; it has {_listed(labeled or names)}")
            return Finding(wanted, origin), [chosen]
        if len(names) == 1:
            return Finding(names[0], "model"), names
        if labeled:
            return Finding(next(iter(labeled)), "metadata"), list(labeled.values())[:1]
        return self._guess_output(takes, pictures)

    def _labeled(self) -> dict[str, str]:
        """Outputs with labels in the metadata, by their name there. Keras renames outputs, so they are matched by position."""
        metadata, names = self.network.metadata, list(self.network.outputs)
        labels = list(metadata.labels) if metadata else []
        return {
            label: label if label in names else names[place]
            for place, label in enumerate(labels)
            if label in names or place < len(names)
        }

    def _guess_output(self, takes: FaceInput, pictures: Sequence[Image]) -> tuple[Finding[str], list[str]]:
        """Choose the output with an emotion-like name, or the only one whose number of values matches the labels."""
        counts = {}
        for name, shape in self.network.outputs.items():
            sizes = [size for size in (shape or (None,))[1:] if size != 1]
            if len(sizes) == 1 and sizes[0] is not None:
                counts[name] = sizes[0]
            else:
                try:
                    counts[name] = self._run(takes, pictures, [name])[0].shape[1]
                except ModelError:  # the shape is not that of scores
                    counts[name] = 0
        labels = self._conventions.labels
        wanted = {len(labels)} if labels else {len(EMOTIONS), len(EIGHT_LABELS)}
        fitting = [name for name, count in counts.items() if count in wanted]
        named = [name for name in counts if _EMOTION_OUTPUT.search(name)]
        for chosen, reason in (
            ([name for name in named if name in fitting], "named like emotions"),
            (fitting, f"the only one of {' or '.join(map(str, sorted(wanted)))} values"),
            (named, "named like emotions"),
        ):
            if len(chosen) == 1:
                return Finding(chosen[0], "assumed", reason), chosen
            if chosen:
                break
        found = _listed([f"{name} ({counts[name] or 'no scores'})" for name in counts])
        raise ModelError(f"{self._path}: has several outputs, {found}", hint="`output_name` says which one tells the emotions")

    def _find_labels(
        self, output: Finding[str], values: dict[str, npt.NDArray[np.float32]]
    ) -> tuple[Finding[tuple[tuple[str, ...], ...]], list[str]]:
        """Determine the labels of each output that is read.

        Raises:
            ModelError: no source has as many labels as the output has values.
        """
        names, given, metadata = list(values), self._conventions.labels, self.network.metadata
        found: list[Finding[tuple[str, ...]]] = []
        for name in names:
            count = values[name].shape[1]
            if given is not None:
                one: Finding[tuple[str, ...]] = Finding(given, "option")
            elif metadata and (labels := self._labels_of(name)):
                one = Finding(labels, "metadata")
            elif len(self.network.class_names) == count:
                if unknown := unknown_names(self.network.class_names):
                    names_said = ", ".join(self.network.class_names)
                    raise ModelError(
                        f"{self._path}: calls its {count} values {names_said}, of which {unknown[0]} is not known",
                        hint=f"`labels` names them, in order, {NO_LABEL} one that is no emotion",
                    )
                one = Finding(self.network.class_names, "model", "in metadata of another program")
            else:
                guess = assumed_labels(count, is_gray_64=self._input.channels == 1 and self._input.height == 64)
                if guess is None:
                    raise ModelError(
                        f"{self._path}: its output {name} has {count} values and the file does not say what they mean",
                        hint="`labels` names them, in order",
                    )
                one = Finding(guess[0], "assumed", guess[1])
            if len(one.value) != count:
                raise ModelError(
                    f"{self._path}: expected {count} labels for the output {name}, got {len(one.value)} ({', '.join(one.value)})",
                    parameter="labels" if given is not None else None,
                    hint="`labels` names them, in order",
                )
            found.append(one)
        weakest = next((one for one in found if one.origin == "assumed"), found[0])
        return Finding(tuple(one.value for one in found), weakest.origin, weakest.reason), names

    def _labels_of(self, output: str) -> tuple[str, ...] | None:
        """Labels of an output in the metadata."""
        metadata = self.network.metadata
        assert metadata is not None
        return next((metadata.labels[label] for label, name in self._labeled().items() if name == output), None)

    def _stated_kind(self, output: str) -> ScoreKind | None:
        """Kind of an output's values in the metadata."""
        metadata = self.network.metadata
        label = next((label for label, name in self._labeled().items() if name == output), output)
        return metadata.scores.get(label) if metadata else None

    def _find_kind(self, output: str, values: npt.NDArray[np.float32]) -> ScoreKind:
        if stated := self._stated_kind(output):
            return stated
        kind = find_kind(values, None)
        return kind if kind in ("shares", "percents") else find_kind(values, self.network.activation(output))


def _read_layout(path: Path, network: Network) -> _Layout:
    """Determine the layout of the input.

    Raises:
        ModelError: the input is no image, or its layout is ambiguous.
    """
    shape = network.input_shape
    layout = _layout_of(shape)
    if layout is None:
        raise ModelError(
            f"{path}: expected one input (n, height, width, 1 or 3), (n, 1 or 3, height, width) or (n, height, width), "
            f"got {network.input_name} {_in_words(shape)}"
        )
    if max(layout.height or 0, layout.width or 0) > MAX_SIDE:
        raise ModelError(
            f"{path}: expected an input of at most {MAX_SIDE} x {MAX_SIDE} pixels, got {layout.width} x {layout.height}"
        )
    return layout


def _layout_of(shape: Shape) -> _Layout | None:
    if len(shape) == 4:
        batch, *rest = shape
        if rest[2] in (1, 3):
            return _Layout(rest[0], rest[1], rest[2] or 1, False, 3, batch)
        return _Layout(rest[1], rest[2], rest[0] or 1, True, 3, batch) if rest[0] in (1, 3) else None
    if len(shape) == 3:
        first, second, third = shape
        if third in (1, 3) and first is not None and first > 3:
            return _Layout(first, second, third, False, 3, 0)
        if first == 3:
            return _Layout(second, third, 3, True, 3, 0)
        return _Layout(second, third, 1, False, 2, first) if third not in (1, 3) else None
    if len(shape) == 2 and shape[1]:
        side = math.isqrt(shape[1])
        return _Layout(side, side, 1, False, 1, shape[0]) if side * side == shape[1] and side >= 16 else None
    return None


def _in_words(shape: Shape) -> str:
    return f"({', '.join('n' if size is None else str(size) for size in shape)})"


def _listed(names: Iterable[str]) -> str:
    """Format names from a file for a message, with limits on their number and length."""
    names = list(names)
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return (
        ", ".join(name if len(name) <= _MAX_NAME_LENGTH else f"{name[:_MAX_NAME_LENGTH]}..." for name in names[:_MAX_NAMES])
        + more
    )


def _as_type(batch: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.generic]:
    kind = np.dtype(name)
    if kind.kind in "ui":
        return np.clip(np.rint(batch), 0, 255).astype(kind)
    return batch.astype(kind, copy=False)


def _pictures(height: int, width: int) -> list[Image]:
    """Five very different synthetic images, uint8 (height, width, 3): black, white, noise, gradient, checkerboard."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    ramp = np.broadcast_to(np.linspace(0, 255, width, dtype=np.uint8)[:, np.newaxis], (height, width, 3))
    checkered = np.where((np.indices((height, width)).sum(axis=0) // 8 % 2)[..., np.newaxis], 200, 40)
    return [
        np.zeros((height, width, 3), np.uint8),
        np.full((height, width, 3), 255, np.uint8),
        noise,
        np.ascontiguousarray(ramp),
        np.ascontiguousarray(np.broadcast_to(checkered, (height, width, 3)), np.uint8),
    ]
