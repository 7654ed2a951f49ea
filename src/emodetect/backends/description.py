"""Description of a model file: its properties and their origins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar, get_args

from typing_extensions import Self

from emodetect.backends.conventions import CHANNELS, Channels, Scaling

Origin: TypeAlias = Literal["option", "metadata", "model", "assumed"]
"""Origin of a property: the user's option, emodetect's metadata in the file, the network itself, or an assumption."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Finding(Generic[Value]):
    """A property that is required to run a model.

    Attributes:
        value: the value in use.
        origin: where it comes from.
        reason: evidence in the model, or the reason of the assumption, in words; empty if there is nothing to add.
    """

    value: Value
    origin: Origin
    reason: str = ""

    @property
    def in_brackets(self) -> str:
        """The reason in brackets, to follow the value."""
        return f" ({self.reason})" if self.reason else ""


@dataclass(frozen=True)
class OutputDescription:
    """An output of a network.

    Attributes:
        name: name in the network.
        shape: shape in the file; None for an unknown size, and as a whole if the file does not state it.
        read: whether the output is read.
    """

    name: str
    shape: tuple[int | None, ...] | None
    read: bool


@dataclass(frozen=True)
class ModelDescription:
    """Description of a loaded model file; can be pickled.

    Attributes:
        name: name of the file.
        format: format and version of the file.
        parameters: number of weights; None if counting them is expensive.
        input_name: name of the input in the network.
        input_shape: shape in the file; None for an unknown size.
        input_type: data type of the input, such as float32.
        size: rows and columns of the input in use.
        labels: labels of each output that is read.
        scaling: input scaling.
        channels: channel order of the input.
        output: the output that is read; "mean" for the mean of several.
        outputs: all outputs.
        scores: kind of the output values: "shares" of one, "independent scores", "percents", "scaled scores" or "logits".
        notes: further assumptions, and problems of the file, in words.
        facts: the metadata's entries about data, training and accuracy.
    """

    name: str
    format: str
    parameters: int | None
    input_name: str
    input_shape: tuple[int | None, ...]
    input_type: str
    size: Finding[tuple[int, int]]
    labels: Finding[tuple[tuple[str, ...], ...]]
    scaling: Finding[Scaling]
    channels: Finding[Channels]
    output: Finding[str]
    outputs: tuple[OutputDescription, ...]
    scores: str
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def input_has_colors(self) -> bool:
        """Whether the network has three input channels."""
        return 3 in self.input_shape[1:] or self.input_shape[0] == 3

    @property
    def note(self) -> str:
        """Summary of the assumptions in one line; empty if the file states everything."""
        assumed = {name: entry for name, entry in self._required.items() if entry[0].origin == "assumed"}
        if not assumed:
            return f"{self.name}: {'; '.join(self.notes)}" if self.notes else ""
        named = ", ".join(f"`{name.replace('-', '_')}`" for name in assumed if name != "size")
        parts = [_in_words(assumed) + (f" ({named} {'change' if ',' in named else 'changes'} that)" if named else "")]
        # Conclusions from the network itself may be wrong, too.
        if shown := {name: entry for name, entry in self._required.items() if entry[0].origin == "model" and entry[0].reason}:
            parts.append(f"found in it: {_in_words(shown)}")
        return "; ".join([f"{self.name}: assumed, as the file does not say: {parts[0]}", *parts[1:], *self.notes])

    @property
    def _required(self) -> dict[str, tuple[Finding[Any], str]]:
        """Required properties, each with its value in words, by the option that sets it."""
        return {
            "labels": (self.labels, "; ".join(", ".join(names) for names in self.labels.value)),
            "scaling": (self.scaling, str(self.scaling.value)),
            "channels": (self.channels, self.channels.value),
            "output-name": (self.output, self.output.value),
            "size": (self.size, f"{self.size.value[1]}x{self.size.value[0]}"),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Restore from the result of `as_dict`, also after a round trip through JSON, which turns tuples into lists.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: the dictionary has another form.
        """

        def finding(name: str, of: Callable[[Any], Value]) -> Finding[Value]:
            entry = values[name]
            if entry["from"] not in get_args(Origin):
                raise ValueError(f"{name} comes from nowhere")
            return Finding(of(entry["value"]), entry["from"], _text(entry["reason"]))

        taken = values["input"]
        return cls(
            name=_text(values["name"]),
            format=_text(values["format"]),
            parameters=None if values["parameters"] is None else int(values["parameters"]),
            input_name=_text(taken["name"]),
            input_shape=_shape(taken["shape"]) or (),
            input_type=_text(taken["type"]),
            size=finding("size", lambda value: (int(value["height"]), int(value["width"]))),
            labels=finding("labels", lambda value: tuple(tuple(map(_text, names)) for names in value)),
            scaling=finding("scaling", _scaling),
            channels=finding("channels", _channels),
            output=finding("output", _text),
            outputs=tuple(
                OutputDescription(_text(one["name"]), _shape(one["shape"]), one["read"] is True) for one in values["outputs"]
            ),
            scores=_text(values["scores"]),
            notes=tuple(map(_text, values["notes"])),
            facts=dict(values["facts"]),
        )

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary, as in the JSON output of `emodetect inspect`."""
        found: dict[str, Finding[Any]] = {
            "labels": self.labels,
            "scaling": self.scaling,
            "channels": self.channels,
            "output": self.output,
            "size": self.size,
        }
        values: dict[str, Any] = {
            "labels": [list(names) for names in self.labels.value],
            "scaling": {"name": str(self.scaling.value), **asdict(self.scaling.value)},
            "channels": self.channels.value,
            "output": self.output.value,
            "size": {"height": self.size.value[0], "width": self.size.value[1]},
        }
        return {
            "name": self.name,
            "format": self.format,
            "parameters": self.parameters,
            "input": {"name": self.input_name, "shape": self.input_shape, "type": self.input_type},
            "outputs": [asdict(output) for output in self.outputs],
            **{name: {"value": values[name], "from": one.origin, "reason": one.reason} for name, one in found.items()},
            "scores": self.scores,
            "notes": list(self.notes),
            "facts": self.facts,
        }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {type(value).__name__}")
    return value


def _channels(value: Any) -> Channels:
    if value not in CHANNELS:
        raise ValueError("no channels")
    return value  # type: ignore[no-any-return]


def _scaling(value: Any) -> Scaling:
    return Scaling(tuple(map(float, value["scale"])), tuple(map(float, value["offset"])))


def _shape(sizes: Any) -> tuple[int | None, ...] | None:
    return None if sizes is None else tuple(None if size is None else int(size) for size in sizes)


def _in_words(entries: dict[str, tuple[Finding[Any], str]]) -> str:
    return "; ".join(f"{name} {text}{found.in_brackets}" for name, (found, text) in entries.items())
