from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import Protocol

import pytest
from typing_extensions import override

from emodetect.backends.base import EmotionBackend
from emodetect.drawing.phrases import Phrase
from emodetect.emotions.smoother import ScoreSmoother
from emodetect.errors import ModelError
from emodetect.live.classifier import Classifier, Crops
from emodetect.types import Emotion
from tests.builders import FakeBackend, make_face, make_image
from tests.cli.running import TIMEOUT
from tests.waiting import wait_until


class Loading(FakeBackend):
    """A backend whose loading lasts until it is let go, or fails."""

    def __init__(self, name: str, dominant: Emotion, *, error: Exception | None = None, wait: bool = False) -> None:
        super().__init__(dominant)
        self.name, self.error = name, error
        self.go = threading.Event()
        self.canceled = False
        if not wait:
            self.go.set()

    @override
    def load(self) -> None:
        assert self.go.wait(TIMEOUT)
        if self.canceled:
            raise ModelError("was broken off")
        if self.error is not None:
            raise self.error

    @override
    def cancel(self) -> None:
        self.canceled = True
        self.go.set()


class Watched(Classifier):
    """Remembers what it reported."""

    def __init__(self, backends: Sequence[FakeBackend], uncertain_below: float | None = None) -> None:
        self.errors: list[BaseException] = []
        self.messages: list[tuple[Phrase, object]] = []
        choices = [partial(_same, backend) for backend in backends]
        smoother = ScoreSmoother(0.0)
        super().__init__(choices, smoother, uncertain_below=uncertain_below, on_error=self.errors.append, notify=self._record)

    def _record(self, phrase: Phrase, about: str = "", **values: object) -> None:
        self.messages.append((phrase, values.get("backend")))


def _same(backend: EmotionBackend) -> EmotionBackend:
    return backend


class Start(Protocol):
    """Starts a classifier with these backends."""

    def __call__(self, *backends: FakeBackend, uncertain_below: float | None = None) -> Watched: ...


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(*backends: FakeBackend, uncertain_below: float | None = None) -> Watched:
            classifier = stack.enter_context(closing(Watched(backends, uncertain_below)))
            classifier.start()
            return classifier

        yield begin


def read(classifier: Watched) -> Emotion:
    """What the active backend says of a face."""
    before = classifier.classified
    classifier.crops.put(Crops((make_face(),), (make_image(),), 0, 0.0))
    wait_until(lambda: classifier.classified > before)
    return classifier.scores[1].dominant


def test_the_first_backend_reads_once_it_is_loaded(start: Start) -> None:
    backend = Loading("a", Emotion.SAD, wait=True)
    backend.uncertain_below = 0.3
    classifier = start(backend)
    assert classifier.loading == "a"
    assert not classifier.ready

    backend.go.set()
    wait_until(lambda: classifier.ready)
    assert classifier.loading is None
    assert classifier.threshold == 0.3
    assert read(classifier) is Emotion.SAD


def test_the_users_threshold_goes_before_the_backends(start: Start) -> None:
    classifier = start(Loading("a", Emotion.SAD), uncertain_below=0.9)
    wait_until(lambda: classifier.ready)
    assert classifier.threshold == 0.9


def test_the_old_backend_reads_until_the_next_is_loaded(start: Start) -> None:
    first, second = Loading("a", Emotion.SAD), Loading("b", Emotion.HAPPY, wait=True)
    classifier = start(first, second)
    wait_until(lambda: classifier.ready)

    classifier.switch()
    assert classifier.loading == "b"
    assert read(classifier) is Emotion.SAD
    second.go.set()
    wait_until(lambda: classifier.loading is None)
    assert read(classifier) is Emotion.HAPPY
    assert (first.closed, second.closed) == (1, 0)
    assert classifier.messages == [(Phrase.NOW, "b")]
    assert classifier.name == "b"


def test_a_backend_that_cannot_be_loaded_leaves_the_old_one_and_a_line(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    first, second = Loading("a", Emotion.SAD), Loading("b", Emotion.HAPPY, error=ModelError("no such thing"))
    classifier = start(first, second, Loading("c", Emotion.FEAR))
    wait_until(lambda: classifier.ready)

    classifier.switch()
    wait_until(lambda: caplog.records)  # which come last
    assert [record.getMessage() for record in caplog.records] == ["no such thing"]
    assert classifier.messages == [(Phrase.CANNOT_LOAD, "b")]
    assert classifier.errors == []
    assert classifier.loading is None
    assert read(classifier) is Emotion.SAD
    assert (first.closed, second.closed) == (0, 1)

    classifier.switch()
    wait_until(lambda: first.closed)
    assert read(classifier) is Emotion.FEAR


def test_a_slow_load_can_be_left_for_the_next_backend(start: Start) -> None:
    second = Loading("b", Emotion.HAPPY, wait=True)
    classifier = start(Loading("a", Emotion.SAD), second, Loading("c", Emotion.FEAR))
    wait_until(lambda: classifier.ready)

    classifier.switch()
    classifier.switch()
    wait_until(lambda: second.closed)
    wait_until(lambda: classifier.loading is None)
    assert second.canceled
    assert read(classifier) is Emotion.FEAR
    assert classifier.messages == [(Phrase.NOW, "c")]


def test_without_another_backend_a_line_says_so(start: Start) -> None:
    classifier = start(Loading("a", Emotion.SAD))
    wait_until(lambda: classifier.ready)
    classifier.switch()
    assert classifier.messages == [(Phrase.NO_OTHER_BACKEND, None)]


def test_another_backend_can_be_chosen_while_the_first_is_still_loading(start: Start) -> None:
    first = Loading("a", Emotion.SAD, wait=True)
    classifier = start(first, Loading("b", Emotion.HAPPY))
    classifier.switch()
    wait_until(lambda: classifier.ready)
    assert first.canceled
    assert read(classifier) is Emotion.HAPPY
    assert classifier.errors == []


@pytest.mark.parametrize("error", [ModelError("no such thing"), ValueError("a bug")])
def test_the_first_backends_failure_is_fatal(start: Start, error: Exception) -> None:
    classifier = start(Loading("a", Emotion.SAD, error=error))
    wait_until(lambda: classifier.errors)
    assert classifier.errors == [error]


def test_closing_waits_for_what_a_load_tidies_up(start: Start) -> None:
    tidied: list[str] = []

    class Tidy(Loading):
        @override
        def load(self) -> None:
            try:
                super().load()
            finally:
                time.sleep(0.3)
                tidied.append(self.name)

    classifier = start(Tidy("a", Emotion.SAD, wait=True), Tidy("b", Emotion.HAPPY, wait=True))
    classifier.switch()  # both are being loaded
    classifier.close()
    assert sorted(tidied) == ["a", "b"]


def test_closing_breaks_off_what_is_being_loaded_and_says_nothing(start: Start) -> None:
    first, second = Loading("a", Emotion.SAD), Loading("b", Emotion.HAPPY, wait=True)
    classifier = start(first, second)
    wait_until(lambda: classifier.ready)
    classifier.switch()
    classifier.close()
    wait_until(lambda: second.closed and first.closed)
    assert second.canceled
    assert first.closed == 1
    assert classifier.errors == []
    assert classifier.messages == []
