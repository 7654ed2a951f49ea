"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(str, Enum):
    """Status of a check."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: what was checked.
        status: a fault means that a part of emodetect does not work; a warning may be intended.
        detail: the result.
        cure: what to do, usually a command; empty if there is nothing to do. Parameters of emodetect are in backquotes.
        traceback: traceback of an exception in the check; empty if there was none.
    """

    name: str
    status: Status
    detail: str
    cure: str = ""
    traceback: str = ""

    def as_dict(self) -> dict[str, str]:
        """Convert to a dictionary, as in the output format."""
        return {"name": self.name, "status": self.status.value, "detail": self.detail, "cure": self.cure}
