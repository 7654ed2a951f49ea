"""The notebook, executed on a tiny data set."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.builders import ROOT
from tests.training.data_sets import write_data_set


def test_the_notebook_trains_and_reads_a_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_data_set(tmp_path / "faces")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "emodetect").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m emodetect "$@"\n')
    (tools / "emodetect").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for name, value in (("CHECKOUT", str(ROOT)), ("DATA", "faces"), ("EPOCHS", "1")):
        monkeypatch.setenv(f"EMODETECT_{name}", value)
    notebook = nbformat.read(ROOT / "examples" / "train_on_colab.ipynb", as_version=4)

    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()

    assert (tmp_path / "annotated.jpg").exists()
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "Test (" in printed
    assert "image/jpeg" in notebook.cells[-1].outputs[0].data
