"""What is known of a model file, and where each part of it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar, get_args

from typing_extensions import Self

from emodetect.backends.conventions import CHANNELS, Channels, Scaling

Origin: TypeAlias = Literal["option", "metadata", "model", "assumed"]
"""Who says something of a model: the user, the metadata of emodetect in the file, the network itself, or nobody."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Finding(Generic[Value]):
    """One thing that must be known of a model to use it.

    Attributes:
        value: what is used.
        origin: who says so.
        reason: what in the model says so, or why it is assumed; in words, empty where there is nothing to add.
    """

    value: Value
    origin: Origin
    reason: str = ""

    @property
    def in_brackets(self) -> str:
        """The reason as it stands after the value."""
        return f" ({self.reason})" if self.reason else ""


@dataclass(frozen=True)
class OutputDescription:
    """One output of a network.

    Attributes:
        name: as it is called there.
        shape: as the file has it; None for an open size, and as a whole where the file does not say.
        read: whether it is read.
    """

    name: str
    shape: tuple[int | None, ...] | None
    read: bool


@dataclass(frozen=True)
class ModelDescription:
    """A model file, once it is loaded; can be pickled.

    Attributes:
        name: the file's name.
        format: kind and version of the file.
        parameters: numbers in its weights; None where counting them would cost.
        input_name: the input, as it is called there.
        input_shape: as the file has it; None for an open size.
        input_type: what its numbers are, such as float32.
        size: rows and columns that it is given.
        labels: what the values of each output that is read mean.
        scaling: from pixels to what it takes.
        channels: the colors that it is given.
        output: the output that is read, "mean" for the mean of several.
        outputs: all that there are.
        scores: what its values are: "shares" of one, "independent scores", "percents", "scaled scores" or "logits".
        notes: what else was assumed, or is wrong in the file, in words.
        facts: what the metadata say of data, training and figures.
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
        """Whether the network takes three channels."""
        return 3 in self.input_shape[1:] or self.input_shape[0] == 3

    @property
    def note(self) -> str:
        """One line of what the file does not say and was therefore assumed; empty where it says all."""
        assumed = {name: entry for name, entry in self._told.items() if entry[0].origin == "assumed"}
        if not assumed:
            return f"{self.name}: {'; '.join(self.notes)}" if self.notes else ""
        named = ", ".join(f"`{name.replace('-', '_')}`" for name in assumed if name != "size")
        parts = [_in_words(assumed) + (f" ({named} {'change' if ',' in named else 'changes'} that)" if named else "")]
        # What the network itself shows may be misleading, too.
        if shown := {name: entry for name, entry in self._told.items() if entry[0].origin == "model" and entry[0].reason}:
            parts.append(f"found in it: {_in_words(shown)}")
        return "; ".join([f"{self.name}: assumed, as the file does not say: {parts[0]}", *parts[1:], *self.notes])

    @property
    def _told(self) -> dict[str, tuple[Finding[Any], str]]:
        """What must be known, by the option that sets it, and its value in words."""
        return {
            "labels": (self.labels, "; ".join(", ".join(names) for names in self.labels.value)),
            "scaling": (self.scaling, str(self.scaling.value)),
            "channels": (self.channels, self.channels.value),
            "output-name": (self.output, self.output.value),
            "size": (self.size, f"{self.size.value[1]}x{self.size.value[0]}"),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make what `as_dict` was made of, also once JSON has made lists of its tuples.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: it was made of something else.
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
        """All of it, as `emodetect inspect` has it in JSON."""
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
