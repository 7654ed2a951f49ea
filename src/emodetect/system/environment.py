"""Environment variables of the libraries that emodetect uses, set in one place before any of them is imported.

They keep libraries from using the network, from writing to the user's home folder, and from ending the process over a variable.
Child processes inherit them.
"""

from __future__ import annotations

import atexit
import os
import re
import secrets
from importlib.util import find_spec

_ALWAYS = {
    # ONNX Runtime collects usage data, stores it in the user's cache and sends it to its maker.
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

_OWN = {
    "MPLBACKEND": "agg",
    # Scikit-learn's joblib warns if there is no shared memory (/dev/shm); its processes are not used here.
    "JOBLIB_MULTIPROCESSING": "0",
}

_UNLESS_SET = {
    # OpenCV considers a clip ended after this many sound packets without a picture; by default after 90 s of a still picture.
    "OPENCV_FFMPEG_READ_ATTEMPTS": "100000000",
}

_OWN_UNLESS_SET = {
    # Otherwise OpenCV opens and closes one source at a time, and none while it waits for a network camera;
    # FFmpeg itself needs no such lock. OpenCV warns of it on standard error, which commands keep quiet.
    "OPENCV_FFMPEG_IS_THREAD_SAFE": "1",
    # OpenCL is not used, and its drivers keep caches in the home folder.
    "OPENCV_OPENCL_RUNTIME": "disabled",
}

_OPENCV_TEXTS = {
    "OPENCV_FFMPEG_CAPTURE_OPTIONS",
    "OPENCV_FFMPEG_LOGLEVEL",
    "OPENCV_FFMPEG_WRITER_OPTIONS",
    "OPENCV_LOG_LEVEL",
    "OPENCV_OPENCL_RUNTIME",
    "OPENCV_UI_BACKEND",
    "OPENCV_UI_PRIORITY_LIST",
    "OPENCV_VIDEOIO_PRIORITY_LIST",
}
"""Variables of OpenCV that take any text. With most others, a value of the wrong type ends the process when cv2 is imported."""

_OPENCV_NUMBERS = re.compile(
    r"OPENCV_(?:IO_MAX_IMAGE_(?:PIXELS|WIDTH|HEIGHT|PARAMS)|FFMPEG_(?:READ|DECODE)_ATTEMPTS|FFMPEG_THREADS|VIDEOIO_PRIORITY_\w+)"
)
"""Variables of OpenCV that take a number. Unknown ones are only kept if 0 or 1, which suits both a number and a switch."""

_THREADS = re.compile(r"(?:[A-Z]+_NUM|TF_NUM_(?:INTRA|INTER)OP)_THREADS|OMP_THREAD_LIMIT")
_MAX_THREADS = 256
"""Maximum number of threads. More of them, each with its own stack, exceed the memory limit of a foreign model."""
_XLA = {"XLA_FLAGS", "TF_XLA_FLAGS"}

_CACHES = {"XDG_CACHE_HOME": "", "MPLCONFIGDIR": "matplotlib", "KERAS_HOME": "keras"}
"""Variables for the caches and settings of libraries, and the subfolder of the process's folder that each gets."""

_OWN_FOLDER = re.compile(r"emodetect-[0-9a-f]{16}-[0-9]+.keras$")

_ignored: list[str] = []
_folder: str | None = None
_is_own = False


def prepare() -> None:
    """Set the variables that every program with the package needs; called when the package is imported."""
    os.environ.update(_ALWAYS)
    for name, value in _UNLESS_SET.items():
        os.environ.setdefault(name, value)
    for name, value in list(os.environ.items()):
        if name.startswith("OPENCV_") and not _is_valid_opencv_value(name, value):
            _remove(name)
    backend = os.environ.get("MPLBACKEND", "")
    if backend.startswith("module://") and not _exists(backend.removeprefix("module://")):
        os.environ["MPLBACKEND"] = "agg"  # inherited from a notebook, whose packages may be missing here


def prepare_own_process() -> None:
    """Set the remaining variables, in a process of emodetect's own: a command or its child process.

    Matplotlib opens no windows. Caches go to a folder of the process, which libraries create if necessary and `remove_caches`
    removes.
    """
    global _folder, _is_own
    _is_own = True
    prepare()
    os.environ.update(_OWN)
    for name, value in _OWN_UNLESS_SET.items():
        os.environ.setdefault(name, value)
    if limit("RLIMIT_AS") is not None or limit("RLIMIT_DATA") is not None:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of which each reserves 32 MB
    for name, value in list(os.environ.items()):
        is_automatic = name.startswith("TF_") and value.strip() == "0"
        numbers = [part if re.fullmatch("[1-9][0-9]{0,3}", part) else "0" for part in value.strip().split(",")]
        is_number = is_automatic or all(0 < int(number) <= _MAX_THREADS for number in numbers)
        is_wrong_number = _THREADS.fullmatch(name) and not is_number
        is_no_flag = name in _XLA and not all(flag.startswith(("--xla_", "--tf_xla_")) for flag in value.split())
        if is_wrong_number or is_no_flag:
            _remove(name)
    if _folder is None and not _OWN_FOLDER.search(os.environ.get("KERAS_HOME", "")):  # else the parent's, which removes it
        # Not created yet, with an unpredictable name; a later process recognizes abandoned folders by the process id.
        _folder = os.path.join(temporary_folder() or os.devnull, f"emodetect-{secrets.token_hex(8)}-{os.getpid()}")
        atexit.register(remove_caches)
        for name, part in _CACHES.items():
            os.environ[name] = os.path.join(_folder, part) if part else _folder


def is_own_process() -> bool:
    """Whether this process is emodetect's own, and not a user's program."""
    return _is_own


def limit(name: str) -> int | None:
    """Resource limit of this process; None for no limit, and on systems without resource limits.

    Args:
        name: of the limit in the module `resource`, such as "RLIMIT_AS".
    """
    if _exists("resource"):
        import resource

        soft = resource.getrlimit(getattr(resource, name))[0]
        return None if soft == resource.RLIM_INFINITY else soft
    return None


def remove_caches() -> None:
    """Remove the cache folder of the process; call at its end, also before `os._exit`."""
    if _folder is not None and os.path.isdir(_folder):
        import shutil

        shutil.rmtree(_folder, ignore_errors=True)


def ignored_variables() -> list[str]:
    """Messages about removed variables, with which a library would have ended the process; each is returned once."""
    lines = [f"the variable {line}" for line in _ignored]
    _ignored.clear()
    return lines


def _is_valid_opencv_value(name: str, value: str) -> bool:
    if name in _OPENCV_TEXTS:
        return True
    return re.fullmatch("[0-9]{1,18}" if _OPENCV_NUMBERS.fullmatch(name) else "[01]", value) is not None


def _remove(name: str) -> None:
    _ignored.append(f"{name} is not used: it cannot have the value {os.environ.pop(name)!r} here")


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def temporary_folder() -> str | None:
    """The folder for temporary files; None if none is writable."""
    import tempfile

    try:
        return tempfile.gettempdir()
    except OSError:
        return None
