"""Re-identification: joining the ids of a person who leaves and comes back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from emodetect.report.formatting import duration
from emodetect.report.person import Person
from emodetect.text.printable import counted

_MAX_DISTANCE = 1.0
"""Maximum distance, in face widths, at which a face is identified with the one last seen there."""


@dataclass(frozen=True)
class JoinedPeople:
    """People with their joined ids.

    Attributes:
        people: the people, each with the lowest of their ids.
        numbers: number of ids that were joined with another one.
        guesses: number of these for which another choice was possible.
        left_out: seconds of faces that were dropped, since there were more at once than people.
    """

    people: list[Person]
    numbers: int = 0
    guesses: int = 0
    left_out: float = 0.0

    def __str__(self) -> str:
        """Describe what was joined and assumed; empty if nothing was."""
        if not self.numbers:
            return ""
        text = f"{counted(self.numbers + len(self.people), 'number')} taken for {counted(len(self.people), 'person', 'people')}"
        if self.guesses:
            text += f"; who came back is a guess {counted(self.guesses, 'time')}: the one last seen nearest"
        if self.left_out:
            text += f"; {duration(self.left_out)} of further faces at the same time left out"
        return text


def join_people(people: Sequence[Person], count: int | None) -> JoinedPeople:
    """Join ids until ``count`` people are left.

    Two faces in one frame are two people. An id that begins while only one person is absent is that person. If several are
    absent, or one who has not appeared yet may have come, it is the one last seen within a face width of that place. Without one,
    it is a new person or, if there are enough already, the one last seen nearest.

    If there are more faces at once than people, the id with the longest time counts.

    Args:
        people: one per id.
        count: number of people; None if unknown, which joins nothing.
    """
    if count is None or len(people) <= count:
        return JoinedPeople([*people])
    groups: list[_Group] = []
    guesses = 0
    for person in sorted(people, key=lambda person: (person.starts[0], person.track_id)):
        shared = [group.shared(person) for group in groups]
        away = [group for group, number in zip(groups, shared, strict=True) if not number]
        distances = {id(group): group.distance(person) for group in away}
        away.sort(key=lambda group: distances[id(group)])
        may_be_new = len(groups) < count
        guesses += len(away) + may_be_new > 1
        if may_be_new and not (away and distances[id(away[0])] <= _MAX_DISTANCE):
            groups.append(_Group([person]))
        elif away:
            away[0].members.append(person)
        else:
            groups[int(np.argmin(shared))].members.append(person)
    joined = [group.joined() for group in groups]
    left_out = sum(person.seconds for person in people) - sum(person.seconds for person in joined)
    return JoinedPeople(joined, len(people) - len(joined), guesses, left_out if left_out > 1e-6 else 0.0)


@dataclass
class _Group:
    """Ids joined to one person."""

    members: list[Person] = field(default_factory=list)

    def shared(self, person: Person) -> int:
        """Number of frames in which both have a face."""
        return sum(len(np.intersect1d(member.starts, person.starts)) for member in self._until(person))

    def distance(self, person: Person) -> float:
        """Distance from the previous place of this person to the start of a face, in face widths."""
        before = [member for member in self.members if member.starts[0] < person.starts[0]]
        if not before:
            return math.inf
        last = max(before, key=lambda member: member.starts[np.searchsorted(member.starts, person.starts[0]) - 1])
        old, new = last.boxes[np.searchsorted(last.starts, person.starts[0]) - 1], person.boxes[0]
        across = (new[:2] + new[2:] / 2) - (old[:2] + old[2:] / 2)
        return float(np.hypot(*across) / max(1, (old[2] + new[2]) / 2))

    def joined(self) -> Person:
        """Merge all members, the longest first if several have a face in the same frame."""
        if len(self.members) == 1:
            return self.members[0]
        members = sorted(self.members, key=lambda member: (-member.seconds, member.track_id))
        _, chosen = np.unique(np.concatenate([member.starts for member in members]), return_index=True)
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(member, name) for member in members])[chosen] for name in _SAMPLES
        }
        return replace(members[0], track_id=min(member.track_id for member in members), **arrays)

    def _until(self, person: Person) -> Iterator[Person]:
        """Yield the members that exist at the time of a person."""
        return (member for member in self.members if member.ends[-1] > person.starts[0] and member.starts[0] < person.ends[-1])


_SAMPLES = "starts", "ends", "emotions", "scores", "uncertain", "boxes"
"""Attributes of a person with one entry per sample."""
