"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(str, Enum):
    """How well something is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        status: a fault keeps something of emodetect from working, a warning may be as it is wanted.
        detail: what was found.
        cure: what to do, mostly a command; empty where nothing needs doing. Parameters of emodetect stand in backquotes.
        traceback: of the error that kept it from being looked at; empty where there was none.
    """

    name: str
    status: Status
    detail: str
    cure: str = ""
    traceback: str = ""

    def as_dict(self) -> dict[str, str]:
        """As it stands in JSON."""
        return {"name": self.name, "status": self.status.value, "detail": self.detail, "cure": self.cure}
