from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
import threading
from importlib import import_module

import pytest

from emodetect.system import quick_import as module
from emodetect.system.quick_import import quick_import

KERAS = """
import sys
from emodetect.backends.keras_import import import_keras, import_keras2
from emodetect.system.environment import prepare_own_process
prepare_own_process()
layers = import_keras().layers, import_keras2().layers
assert not {"matplotlib", "pandas", "sklearn"} & {*sys.modules}
import matplotlib.pyplot, pandas, sklearn.base
"""


@pytest.fixture
def own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this process were emodetect's own, with a module that is not imported yet."""
    monkeypatch.setattr(module, "is_own_process", lambda: True)
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    monkeypatch.delitem(sys.modules, "wave", raising=False)


@pytest.mark.usefixtures("own_process")
def test_hidden_packages_are_not_found_in_the_block_only() -> None:
    with quick_import("wave"), pytest.raises(ModuleNotFoundError, match="wave is not needed here"):
        import_module("wave")
    assert import_module("wave")
    with quick_import("wave"):
        assert import_module("wave")  # imported already


@pytest.mark.usefixtures("own_process")
def test_other_threads_import_what_they_want() -> None:
    found: list[object] = []
    with quick_import("wave"):
        thread = threading.Thread(target=lambda: found.append(import_module("wave")))
        thread.start()
        thread.join()
    assert found


@pytest.mark.usefixtures("own_process")
def test_garbage_is_collected_again_also_after_an_error() -> None:
    with contextlib.suppress(ImportError), quick_import():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()


def test_a_users_program_is_left_alone() -> None:
    sys.modules.pop("wave", None)
    with quick_import("wave"):
        assert import_module("wave")
        assert gc.isenabled()


def test_keras_leaves_out_what_it_needs_for_other_features() -> None:
    done = subprocess.run([sys.executable, "-c", KERAS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
