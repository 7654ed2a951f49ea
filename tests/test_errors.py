from __future__ import annotations

import inspect

import pytest

from emodetect import errors
from emodetect.errors import EmodetectError, UsageError

TREE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_is_one_of_ours_drawn_and_carries_its_exit_code(kind: type[EmodetectError]) -> None:
    assert issubclass(kind, EmodetectError)
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__
    assert kind.exit_code == (2 if kind is UsageError else 1)


def test_the_tree_is_complete() -> None:
    names = {kind.__name__ for kind in TREE}
    assert names == {
        "EmodetectError",
        "UsageError",
        "SourceError",
        "ModelError",
        "BackendError",
        "BackendUnavailableError",
        "DatasetError",
        "OutputError",
    }


def test_the_message_is_what_was_said() -> None:
    assert str(EmodetectError("clip.mp4: no such file")) == "clip.mp4: no such file"
