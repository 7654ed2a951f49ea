"""The classification thread of a live session: it scores the newest faces with the active backend."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emodetect.backends.base import EmotionBackend
from emodetect.drawing.phrases import Phrase
from emodetect.emotions.scorer import EmotionScorer
from emodetect.emotions.smoother import ScoreSmoother
from emodetect.errors import EmodetectError
from emodetect.queues.latest import Latest
from emodetect.types import EmotionScores, Face, Image

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Crops:
    """The faces of one frame to classify.

    Attributes:
        faces: their boxes and track ids.
        images: uint8 (height, width, 3) BGR, one per face; copies, since the frame may be drawn on in the meantime.
        index: number of the frame in its source.
        timestamp: the frame's, seconds.
    """

    faces: tuple[Face, ...]
    images: tuple[Image, ...]
    index: int
    timestamp: float


@dataclass(frozen=True)
class _Chosen:
    """A backend, its scorer, and its position among the choices."""

    position: int
    backend: EmotionBackend
    scorer: EmotionScorer


class Classifier:
    """Classifies the newest faces in a separate thread, and loads other backends in the background.

    Args:
        choices: factories of the backends that can be chosen; the first one is loaded at the start.
        smoother: averages scores over time.
        uncertain_below: confidence, 0 to 1, below which a reading is marked uncertain; None for the backend's own threshold.
        on_error: called, in any thread, with the error that ended the classification.
        notify: called, in any thread, with a message about backends and its values.

    Attributes:
        crops: takes the newest faces.
        scores: scores of the faces classified last, by track id. Replaced as a whole, so that other threads need no lock.
        threshold: confidence, 0 to 1, below which a reading is uncertain.
        classified: number of batches classified.
    """

    def __init__(
        self,
        choices: Sequence[Callable[[], EmotionBackend]],
        smoother: ScoreSmoother,
        *,
        uncertain_below: float | None,
        on_error: Callable[[BaseException], None],
        notify: Callable[..., None],
    ) -> None:
        self._choices, self._smoother, self._uncertain_below = choices, smoother, uncertain_below
        self._on_error, self._notify = on_error, notify
        self.crops: Latest[Crops] = Latest()
        self.scores: dict[int, EmotionScores] = {}
        self.threshold = uncertain_below or 0.0
        self.classified = 0
        self._position = 0
        self._changing = threading.Lock()
        self._active: _Chosen | None = None
        self._pending: _Chosen | None = None
        self._loaded: Latest[_Chosen] = Latest()
        self._loaders: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="classify", daemon=True)

    @property
    def name(self) -> str | None:
        """Name of the active backend; None until the first one is loaded."""
        active = self._active
        return active.backend.name if active else None

    @property
    def loading(self) -> str | None:
        """Name of the backend that is being loaded; None if there is none."""
        pending = self._pending
        return pending.backend.name if pending else None

    @property
    def ready(self) -> bool:
        """Whether a backend is loaded."""
        return self._active is not None

    def start(self) -> None:
        """Load the first backend in the background, and start the thread."""
        self._load_in_background(0)
        self._thread.start()

    def switch(self) -> None:
        """Switch to the next backend.

        The active backend keeps classifying until the next one is loaded, and stays if that cannot be loaded. A backend that is
        still being loaded is canceled.
        """
        active = self._active.position if self._active else None
        count = len(self._choices)
        others = [p % count for p in range(self._position + 1, self._position + 1 + count) if p % count != active]
        if count < 2:
            self._notify(Phrase.NO_OTHER_BACKEND)
        elif self._pending is None or self._pending.position != others[0]:
            self._position = others[0]
            try:
                self._load_in_background(others[0])
            except EmodetectError as error:
                self._report_error(f"backend {others[0] + 1}", error)

    def _load_in_background(self, position: int) -> None:
        backend = self._choices[position]()
        chosen = _Chosen(position, backend, EmotionScorer(backend, self._smoother, uncertain_below=self._uncertain_below))
        with self._changing:
            given_up, self._pending = self._pending, chosen
        if given_up is not None:
            given_up.backend.cancel()
        loader = threading.Thread(target=self._load, args=(chosen,), name="load", daemon=True)
        self._loaders = [*(thread for thread in self._loaders if thread.is_alive()), loader]
        loader.start()

    def _load(self, chosen: _Chosen) -> None:
        failure: BaseException | None = None
        try:
            chosen.backend.load()
            chosen.backend.warn_assumptions()
        except BaseException as error:
            failure = error
        with self._changing:
            wanted = self._pending is chosen and not self._stopping.is_set()
            if wanted and failure is None:
                self._loaded.put(chosen)
                return
            if wanted:
                self._pending = None
        chosen.backend.close()
        if wanted and failure is not None:
            if self.ready and isinstance(failure, EmodetectError):
                self._report_error(chosen.backend.name, failure)
            else:
                self._on_error(failure)

    def _report_error(self, name: str, error: EmodetectError) -> None:
        """Report that a backend cannot be loaded: briefly in the window, with the reason in the log."""
        self._notify(Phrase.CANNOT_LOAD, "backend", backend=name)
        _log.warning("%s", error)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._change(self._loaded.take(0.0 if self._active else 0.1))
                crops = self.crops.take(0.1) if self._active else None
                if self._active is not None and crops is not None:
                    self._read(self._active.scorer, crops)
        except BaseException as error:
            if not self._stopping.is_set():
                self._on_error(error)
        finally:
            self._change(self._loaded.take(0.0))
            if self._active is not None:
                self._active.backend.close()

    def _change(self, loaded: _Chosen | None) -> None:
        if loaded is None:
            return
        if self._active is not None:
            self._active.backend.close()
            self._notify(Phrase.NOW, "backend", backend=loaded.backend.name)
        with self._changing:
            self.threshold = loaded.scorer.uncertain_below
            if self._pending is loaded:
                self._pending = None
            self._active = loaded  # last: other threads use it as soon as they see it

    def _read(self, scorer: EmotionScorer, crops: Crops) -> None:
        fresh = scorer.score(crops.images, crops.faces, crops.timestamp, frame=f"frame {crops.index}")
        present = {face.track_id for face in crops.faces}
        kept = {track: scores for track, scores in self.scores.items() if track in present}
        self.scores = kept | fresh
        self.classified += 1

    def close(self) -> None:
        """Stop the thread. A call that does not return is canceled if the backend supports it, and abandoned otherwise."""
        with self._changing:
            self._stopping.set()
            pending = self._pending
        self.crops.close()
        if pending is not None:
            pending.backend.cancel()
        if self._thread.is_alive():
            self._thread.join(timeout=0.2)
        if self._thread.is_alive() and self._active is not None:
            self._active.backend.cancel()
        if self._thread.ident:
            self._thread.join(timeout=2.0)
        for loader in self._loaders:
            loader.join(timeout=2.0)  # it removes its copy of a model
