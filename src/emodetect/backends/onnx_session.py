"""ONNX Runtime sessions with few threads and no output; the embedded network is cached."""

from __future__ import annotations

import functools
import re
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

EMBEDDED_MIN_CONTRAST = 30.0
"""Minimum contrast of the embedded network's input, gray levels; 5% of the validation faces have less. The accuracy on all
validation faces is unchanged. With a tenth of the light it rises from 62 to 70% for `fer2013`."""

_PLACE = re.compile(r"/onnxruntime_src/\S+ .*?\) (?=[A-Z])", re.DOTALL)
"""Source line and function in the messages of ONNX Runtime."""

_THREADS = 1
"""Threads per operator. A second thread does not speed up one face of the embedded network (0.6 ms). It speeds up eight faces by
a quarter (2.9 ms instead of 4.1), but takes 20% to 40% more processor time, which face detection needs."""


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Create a session for an ONNX file.

    Raises:
        ModelError: ONNX Runtime cannot load the file, or it is rejected for safety.
    """
    return packaged_session(path) if path == EMBEDDED else _load(path, read_onnx_file(path))


@functools.cache
def packaged_session(path: Path) -> onnxruntime.InferenceSession:
    """Create the cached, thread-safe session of a network in the package.

    Args:
        path: the model file.

    Raises:
        ModelError: the file is missing or damaged.
    """
    try:
        return _load(path, path.read_bytes())
    except (ModelError, OSError) as error:
        raise ModelError(f"{path}: missing or damaged; install emodetect again") from error


def import_onnxruntime() -> Any:
    """Import ONNX Runtime, and disable its telemetry.

    The environment variable set by the package does so for the first import. The call covers programs that imported it before.
    """
    with quiet_native_output():  # it prints if NumPy is incompatible
        import onnxruntime

        if switch_off := getattr(onnxruntime, "disable_telemetry_events", None):  # from version 1.17 on
            switch_off()
    return onnxruntime


def _load(path: Path, content: bytes) -> onnxruntime.InferenceSession:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _THREADS
    options.inter_op_num_threads = 1
    # Spinning threads would take cores from the detector.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    # By name or first bytes a file could select another format, which `read_onnx_file` cannot check.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if (max_bytes := arena_limit(len(content))) is not None:
        _limit_arena(onnxruntime, max_bytes)
        options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        reason = _PLACE.sub("", str(error)).strip() or first_line(error)
        raise ModelError(f"{path}: not a model that ONNX Runtime can load ({first_line(ValueError(reason))})") from error


def _limit_arena(onnxruntime: Any, max_bytes: int) -> None:
    """Limit the arena of all sessions in this process, the worker of a foreign model, so that large activations fail at once."""
    kind, place = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
    onnxruntime.create_and_register_allocator(
        onnxruntime.OrtMemoryInfo("Cpu", kind, 0, place),
        onnxruntime.OrtArenaCfg({"max_mem": max_bytes, "arena_extend_strategy": 1}),
    )


def model_metadata(session: onnxruntime.InferenceSession, path: Path) -> ModelMetadata | None:
    """Metadata of emodetect in the file; None if another program wrote it.

    Raises:
        ModelError: the metadata cannot be read.
    """
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    return None if text is None else ModelMetadata.from_json(text, path)
