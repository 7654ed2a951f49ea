from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from tests.builders import ROOT

DOCUMENTS = [ROOT / "docs" / name for name in ("benchmarks.md", "benchmarks.png")]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """benchmarks/measure.py, cut down to one short clip, where DeepFace has no weights and gets none."""
    spec = spec_from_file_location("measure_script", ROOT / "benchmarks" / "measure.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SYNTHETIC_CLIPS", module.SYNTHETIC_CLIPS[:1])
    monkeypatch.setattr(module, "CLIP_FRAMES", 4)
    monkeypatch.setattr(module, "prepare_own_process", lambda: None)  # this process is not the script's alone
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    for proxy in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    return module


def test_tables_are_printed_without_deepfaces_weights_and_no_document_is_touched(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [path.read_bytes() for path in DOCUMENTS]
    monkeypatch.setattr(sys, "argv", ["measure.py", "--frames", "4", "--rounds", "1"])
    script.main()

    shown = capsys.readouterr()
    for part in (
        "| `emodetect image`",
        "| eight",
        "| 640x360, 1 at speed 1",
        "| embedded",
        "| classify",
        "4 frames of a synthetic clip",
    ):
        assert part in shown.out
    assert "deepface.DeepFace" not in shown.out
    (line,) = [line for line in shown.err.splitlines() if "DeepFace" in line]
    assert line.startswith("without DeepFace: DeepFace's weights are missing")
    assert [path.read_bytes() for path in DOCUMENTS] == before


def test_documents_are_written_when_asked(script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "benchmarks.md").write_text("# Benchmarks\n\n<!-- measured: start -->\nold\n<!-- measured: end -->\n\nrest\n")
    monkeypatch.setattr(script, "DOCS", tmp_path)
    for section in ("compare_starts", "compare_eight_faces", "count_faces"):  # which are measured above
        monkeypatch.setattr(script, section, lambda *_, **__: "another table")
    monkeypatch.setattr(sys, "argv", ["measure.py", "--frames", "4", "--rounds", "1", "--no-deepface", "--write-docs"])
    script.main()

    text = (tmp_path / "benchmarks.md").read_text()
    assert text.startswith("# Benchmarks\n\n<!-- measured: start -->\n")
    assert text.endswith("<!-- measured: end -->\n\nrest\n")
    assert "old" not in text
    assert "| embedded" in text
    assert text.count("another table") == 3
    assert (tmp_path / "benchmarks.png").stat().st_size > 1000


@pytest.mark.parametrize("option", ["--source", "--model"])
def test_a_missing_file_is_named_before_anything_is_measured(
    option: str, script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["measure.py", option, str(tmp_path / "none.mp4")])
    with pytest.raises(SystemExit) as ended:
        script.main()
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "none.mp4: no such file" in shown.err
