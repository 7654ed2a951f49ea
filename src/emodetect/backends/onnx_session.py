"""ONNX Runtime as it is used here: few threads, quiet, and the embedded network loaded once."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emodetect.backends.limits import arena_limit
from emodetect.backends.metadata import KEY, ModelMetadata
from emodetect.backends.onnx_file import read_onnx_file
from emodetect.errors import ModelError, first_line
from emodetect.system.native_output import quiet_native_output

if TYPE_CHECKING:
    import onnxruntime

EMBEDDED = Path(__file__).parent / "models" / "emodetect.onnx"

_THREADS = 1
"""Threads inside an operator. A second one makes one face of the embedded network no sooner (0.6 ms) and eight a quarter (2.9
ms instead of 4.1), and takes from a fifth to two fifths more of the processor, which finding faces needs."""


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Load an ONNX file.

    Raises:
        ModelError: ONNX Runtime cannot load it, or it is refused for safety.
    """
    return packaged_session(path) if path == EMBEDDED else _load(path, read_onnx_file(path))


@functools.cache
def packaged_session(path: Path, sizes: tuple[tuple[str, int], ...] = ()) -> onnxruntime.InferenceSession:
    """Load a network that travels in the package, once for all who use it; it may be run from several threads.

    Args:
        path: its file.
        sizes: dimensions of its input that are free in the file, and what they are here, which lets it run sooner.

    Raises:
        ModelError: it is missing or damaged.
    """
    try:
        return _load(path, path.read_bytes(), sizes)
    except (ModelError, OSError) as error:
        raise ModelError(f"{path}: missing or damaged; install emodetect again") from error


def import_onnxruntime() -> Any:
    """Import ONNX Runtime, with its telemetry off.

    The package's environment sees to that before the first import; this also where the user's program came first.
    """
    with quiet_native_output():  # where NumPy does not fit, it prints of its own
        import onnxruntime

        if switch_off := getattr(onnxruntime, "disable_telemetry_events", None):  # there from 1.17 on
            switch_off()
    return onnxruntime


def _load(path: Path, content: bytes, sizes: tuple[tuple[str, int], ...] = ()) -> onnxruntime.InferenceSession:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _THREADS
    options.inter_op_num_threads = 1
    # Threads that wait by spinning would take the cores from the detector.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    for name, size in sizes:
        options.add_free_dimension_override_by_name(name, size)
    # By its name or first bytes a file could pass for another format, which `read_onnx_file` cannot read.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if (most := arena_limit(len(content))) is not None:
        _limit_arena(onnxruntime, most)
        options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has no common base class for what a bad file raises
        raise ModelError(f"{path}: not a model that ONNX Runtime can load ({first_line(error)})") from error


def _limit_arena(onnxruntime: Any, most: int) -> None:
    """Let a layer that takes too much fail at once, in all sessions of the process, which is then a foreign model's own."""
    kind, place = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
    onnxruntime.create_and_register_allocator(
        onnxruntime.OrtMemoryInfo("Cpu", kind, 0, place), onnxruntime.OrtArenaCfg({"max_mem": most, "arena_extend_strategy": 1})
    )


def model_metadata(session: onnxruntime.InferenceSession, path: Path) -> ModelMetadata | None:
    """What the file says of itself; None where another program wrote it.

    Raises:
        ModelError: what it says cannot be read.
    """
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    return None if text is None else ModelMetadata.from_json(text, path)
