"""What is known of a model file, and where each part of it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from emodetect.backends.conventions import Channels, Scaling

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
        scores: what its values are: "shares" of one, "independent scores", "percents" or "logits".
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
    scores: Finding[str]
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """One line of what the file does not say and was therefore assumed; empty where it says all."""
        told: dict[str, tuple[Finding[Any], str]] = {
            "--labels": (self.labels, "; ".join(", ".join(names) for names in self.labels.value)),
            "--scaling": (self.scaling, str(self.scaling.value)),
            "--channels": (self.channels, self.channels.value),
            "--output-name": (self.output, self.output.value),
            "size": (self.size, f"{self.size.value[1]}x{self.size.value[0]}"),
        }
        assumed = {option: entry for option, entry in told.items() if entry[0].origin == "assumed"}
        if not assumed:
            return f"{self.name}: {'; '.join(self.notes)}" if self.notes else ""
        # What the network itself shows stands beside it: it may be wrong, too.
        shown = {option: entry for option, entry in told.items() if entry[0].origin == "model" and entry[0].reason}
        parts = [f"{option.lstrip('-')} {text}{found.in_brackets}" for option, (found, text) in {**assumed, **shown}.items()]
        options = ", ".join(option for option in assumed if option.startswith("--"))
        changed = f" ({options} change that)" if options else ""
        return "; ".join([f"{self.name}: assumed, as the file does not say: {'; '.join(parts)}{changed}", *self.notes])
