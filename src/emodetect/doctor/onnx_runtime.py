"""Checks of ONNX Runtime and of the speed of the embedded network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.metadata import version
from statistics import median

from emodetect.doctor.check import Check, Status
from emodetect.errors import ModelError
from emodetect.system.install_hints import EMODETECT_CURE, is_installed, package_cure

_WARM_UP, _RUNS = 3, 20

_SLOW_MS = 33.0
"""Milliseconds per face above which labels lag behind: the time of one camera frame."""


def check_runtime() -> Iterator[Check]:
    """Whether ONNX Runtime, which runs the embedded network and .onnx files, can be imported."""
    from emodetect.backends.onnx_session import import_onnxruntime

    onnxruntime = import_onnxruntime()
    yield Check("ONNX Runtime", Status.OK, f"onnxruntime {onnxruntime.__version__}")


def check_onnx() -> Iterator[Check]:
    """Whether the package onnx, which reads the graphs of .onnx files, is installed. It is not imported."""
    if is_installed("onnx"):
        yield Check("ONNX", Status.OK, f"onnx {version('onnx')}")
    else:
        yield Check("ONNX", Status.WARNING, "onnx not installed; your own .onnx models need it", package_cure("onnx"))


def check_speed() -> Iterator[Check]:
    """Milliseconds per face on this machine: the median of a few runs, one face at a time."""
    import numpy as np

    from emodetect.backends.registry import create_backend

    face = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    times = []
    try:
        with create_backend("cnn") as backend:
            for _ in range(_WARM_UP + _RUNS):
                started = time.perf_counter()
                backend.classify([face])
                times.append(1000 * (time.perf_counter() - started))
    except ModelError as error:
        yield Check("speed", Status.FAULT, f"the embedded network cannot be used: {error}", EMODETECT_CURE)
        return
    cost = median(times[_WARM_UP:])
    detail = f"{cost:.1f} ms per face with the embedded network"
    if cost > _SLOW_MS:
        yield Check("speed", Status.WARNING, detail, "close what else is busy; labels in live will be late, the picture will not")
    else:
        yield Check("speed", Status.OK, detail)
