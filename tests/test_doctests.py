"""The public names of the package, and the examples in their docstrings."""

from __future__ import annotations

import doctest
import inspect
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emodetect
from tests.builders import PHOTO

PUBLIC = {
    "Box", "EmodetectError", "Emotion", "EmotionPipeline", "EmotionScores", "FaceReading", "Frame", "FrameResult",
    "analyze", "classify_faces", "draw", "load_image", "open_pipeline", "stream", "to_dataframe",
}  # fmt: skip


def test_the_public_face_of_the_package() -> None:
    assert set(emodetect.__all__) == PUBLIC
    assert set(dir(emodetect)) >= PUBLIC


def test_the_example_of_the_package_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").mkdir()
    shutil.copy(PHOTO, tmp_path / "examples")
    monkeypatch.chdir(tmp_path)

    assert doctest.testmod(emodetect) == doctest.TestResults(failed=0, attempted=2)


@pytest.mark.parametrize("name", emodetect.__all__)
def test_each_public_name_has_an_example_that_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").mkdir()
    shutil.copy(PHOTO, tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"emodetect": emodetect, "np": np}
    public = inspect.unwrap(getattr(emodetect, name))

    examples = [test for test in doctest.DocTestFinder().find(public, name, globs=namespace) if test.examples]
    methods = vars(public).items() if inspect.isclass(public) else ()
    wanted = {name, *(f"{name}.{method}" for method, value in methods if inspect.isfunction(value) and method[0] != "_")}
    assert wanted <= {test.name for test in examples}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    failed = sum(runner.run(test, out=report.append).failed for test in examples)
    assert not failed, "".join(report)
