"""Sandbox of a process that runs a foreign model: irrevocable limits on files, network, processes and memory.

Only Linux lets an unprivileged program restrict itself in this way; elsewhere `enter_sandbox` does nothing.

- Landlock (Linux 5.13, https://docs.kernel.org/userspace-api/landlock.html): files are read-only, and only in the library folders
  of Python and the system.
- seccomp (https://docs.kernel.org/userspace-api/seccomp_filter.html): no sockets, no new processes or programs, no changes of
  file permissions, owners and times, which Landlock does not cover, and no shared objects that outlive the process.
- Capabilities: root loses its privileges, except for reading libraries in folders of other users.
- Resource limits: memory, file size, open files, core dumps.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

import emodetect
from emodetect.system.native_output import is_debugging

MB = 2**20

_SPARE_BYTES = 512 * MB
"""Address space beyond the memory limit, for the stacks of idle threads, which are reserved and never used."""

_OPEN_FILES = 256

_PROCESSORS = os.cpu_count() or 1

_SYSTEM_FOLDERS = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/opt/rocm/lib", "/nix/store",
                   "/sys/devices/system/cpu", "/sys/devices/system/node")  # fmt: skip
_SYSTEM_FILES = ("/etc/ld.so.cache", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/dev/urandom", "/dev/random", "/dev/zero")
_NOWHERE = os.devnull


def enter_sandbox(memory: int, own_folder: str | None = None) -> dict[str, bool]:
    """Enter the sandbox, irrevocably. Call it while the process has a single thread, before libraries start theirs.

    Args:
        memory: memory limit, bytes; see `_SPARE_BYTES`.
        own_folder: a folder whose files may be read and removed.

    Returns:
        Whether each protection is active on this system, by name: "files", "network" (and processes), "memory".
    """
    given = dict.fromkeys(("files", "network", "memory"), False)
    if not sys.platform.startswith("linux"):
        return given
    libc = ctypes.CDLL(None, use_errno=True)
    with contextlib.suppress(OSError):
        _no_new_privileges(libc)
        with contextlib.suppress(OSError):
            _forbid_files(libc, _readable(), own_folder)
            given["files"] = True
        with contextlib.suppress(OSError):
            _drop_capabilities(libc)
            _forbid_calls(libc)
            given["network"] = True
    given["memory"] = _limit_resources(memory)
    return given


def processor_seconds(seconds: float) -> None:
    """Limit the remaining processor time of this process, on all processors together; the system kills it after that."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds * _PROCESSORS) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    # Below the hard limit, at which the process would be killed without saying why.
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, max(1, hard - 1)), hard))


def _limit_resources(memory: int) -> bool:
    import resource

    # Not RLIMIT_AS: libraries reserve address space that they never use. Not RLIMIT_NPROC: it counts all processes of the user.
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        *(() if is_debugging() else ((resource.RLIMIT_FSIZE, 0),)),  # when debugging, output may go to a file
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_DATA, memory + _SPARE_BYTES),
    ):
        hard = resource.getrlimit(kind)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (limit, limit))
    return 0 < resource.getrlimit(resource.RLIMIT_DATA)[0] <= memory + _SPARE_BYTES


# Landlock ------------------------------------------------------------------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all architectures
_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE = 1 << 1, 1 << 2, 1 << 3, 1 << 5
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
"""Access rights for files, by version of Landlock; later versions have one more."""


def landlock_version() -> int:
    """Version of Landlock in the kernel; 0 if it is missing."""
    if not sys.platform.startswith("linux"):
        return 0
    with contextlib.suppress(OSError):
        return _call(ctypes.CDLL(None, use_errno=True), _CREATE_RULESET, None, 0, 1)
    return 0


def _readable() -> Iterator[str]:
    """Folders of libraries: Python's own, those of installed packages, and the system's."""
    paths = sysconfig.get_paths()
    yield from (paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib") if name in paths)
    yield os.path.join(sys.base_prefix, "lib")
    yield os.path.dirname(emodetect.__file__)
    yield from (path for path in sys.path if holds_packages(path))
    yield from filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    yield from _SYSTEM_FOLDERS


def holds_packages(folder: str) -> bool:
    """Whether a folder of the import path contains installed packages, rather than scripts and their data."""
    return bool(folder) and any(Path(folder).glob("*.dist-info"))


def _forbid_files(libc: ctypes.CDLL, readable: Iterable[str], own_folder: str | None) -> None:
    version = landlock_version()
    if version < 1:
        raise OSError(errno.ENOSYS, "no Landlock")
    rights = _RIGHTS.get(version, (1 << 16) - 1)
    network = 3 if version >= 4 else 0  # binding and connecting over TCP
    scope = 3 if version >= 6 else 0  # abstract Unix sockets, signals
    attributes = struct.pack("QQQ", rights, network, scope)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _call(libc, _CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for path in dict.fromkeys(readable):
            _allow(libc, ruleset, path, _READ_FILE | _READ_DIR)
        if own_folder is not None:
            _allow(libc, ruleset, own_folder, _READ_FILE | _READ_DIR | _REMOVE_FILE)
        # Files about the process itself; its folders also list the network connections of all processes.
        own = (os.path.join("/proc/self", name) for name in os.listdir("/proc/self"))
        for path in (*_SYSTEM_FILES, *filter(os.path.isfile, own)):
            _allow(libc, ruleset, path, _READ_FILE)
        _allow(libc, ruleset, _NOWHERE, _READ_FILE | _WRITE_FILE)
        _call(libc, _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    with contextlib.suppress(OSError):  # a missing path needs no rule
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):
                rights &= ~_READ_DIR
            _call(libc, _ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, place), 0)
        finally:
            os.close(place)


# seccomp -------------------------------------------------------------------------------------------------------------

_ARCHITECTURES = {"x86_64": (0xC000003E, 317), "aarch64": (0xC00000B7, 277)}
"""Audit architecture, and number of the system call `seccomp`, by processor."""

_FORBIDDEN = {
    # Sockets: socket, connect, accept, sendto, sendmsg, bind, listen, socketpair, accept4, sendmmsg
    "x86_64": (41, 42, 43, 44, 46, 49, 50, 53, 288, 307,
               # other programs and processes: fork, vfork, execve, kill, ptrace, tkill, execveat, pidfd_*
               57, 58, 59, 62, 101, 200, 322, 424, 434, 438, 129, 297, 310, 311,
               # bypasses: io_uring_*, open_by_handle_at, bpf, perf_event_open, userfaultfd, keys, namespaces, mounts
               425, 426, 427, 304, 321, 298, 323, 248, 249, 250, 272, 308, 165, 166, 428, 429, 430, 442, 155, 161, 135,
               # file metadata: chmod, fchmod*, *chown*, utime*, *setxattr*, *removexattr*, file_setattr
               90, 91, 268, 452, 92, 93, 94, 260, 132, 235, 261, 280, 188, 189, 190, 463, 197, 198, 199, 466, 469,
               # objects that outlive a process: shm*, sem*, msg*, mq_open, mq_unlink
               29, 30, 31, 64, 65, 66, 220, 68, 69, 70, 71, 240, 241,
               # scheduling of others: setpriority, ioprio_set, sched_set*, migrate_pages, move_pages, process_madvise, _mrelease
               141, 251, 142, 144, 314, 203, 256, 279, 440, 448,
               # the machine: reboot, swap*, acct, clocks, names, *_module, kexec_*, syslog, quotactl*, fanotify_init, vhangup
               169, 167, 168, 163, 164, 159, 227, 305, 170, 171, 175, 313, 176, 246, 320, 103, 179, 443, 300, 153, 172, 173),
    "aarch64": (198, 203, 202, 206, 211, 200, 201, 199, 242, 269,
                221, 129, 117, 130, 281, 424, 434, 438, 138, 240, 270, 271,
                425, 426, 427, 265, 280, 241, 282, 217, 218, 219, 97, 268, 40, 39, 428, 429, 430, 442, 41, 51, 92,
                52, 53, 452, 54, 55, 88, 5, 6, 7, 463, 14, 15, 16, 466, 469,
                194, 195, 196, 190, 191, 192, 193, 186, 187, 188, 189, 180, 181,
                140, 30, 118, 119, 274, 122, 238, 239, 440, 448,
                142, 224, 225, 89, 170, 171, 112, 266, 161, 162, 105, 273, 106, 104, 294, 116, 60, 443, 262, 58),
}  # fmt: skip
"""Numbers of the forbidden system calls."""

_TGKILL, _PRLIMIT = {"x86_64": 234, "aarch64": 131}, {"x86_64": 302, "aarch64": 261}
"""System calls that are allowed for this process only; their first argument is a process id."""

_FCNTL = {"x86_64": 72, "aarch64": 25}
_SET_OWNER, _SET_OWNER_EX = 8, 15
"""Commands of `fcntl` that set the receiver of a file's signals."""

_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_CLONE_THREAD = 0x10000
_READ_SEARCH = 1 << 2
"""Capability to read folders regardless of their permissions."""

_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000


def _forbid_calls(libc: ctypes.CDLL) -> None:
    """Install the seccomp filter in all threads; creating threads remains allowed."""
    processor = platform.machine()
    if processor not in _ARCHITECTURES or sys.maxsize < 2**32:
        raise OSError(errno.ENOSYS, "numbers of the calls are not known here")
    architecture, number = _ARCHITECTURES[processor]
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    refuse, allow = (answer, 0, 0, _REFUSE | errno.EPERM), (answer, 0, 0, _ALLOW)
    first, second, third = ((load, 0, 0, place) for place in (16, 24, 32))  # low halves of the arguments
    own = os.getpid()
    program = [
        (load, 0, 0, 4),  # the architecture
        (equal, 1, 0, architecture),
        refuse,
        (load, 0, 0, 0),  # the call's number
        (at_least, 0, 1, 0x40000000),  # system calls of the x32 ABI
        refuse,
        (equal, 0, 1, _CLONE3),  # a filter cannot read its flags; without it the C library falls back to `clone`
        (answer, 0, 0, _REFUSE | errno.ENOSYS),
        *((equal, 0, 4, _CLONE[processor]), first, (any_bit, 0, 1, _CLONE_THREAD), allow, refuse),
        *((equal, 0, 4, _TGKILL[processor]), first, (equal, 0, 1, own), allow, refuse),
        *((equal, 0, 4, _PRLIMIT[processor]), first, (equal, 0, 1, 0), allow, refuse),
        *((equal, 0, 9, _FCNTL[processor]), second, (equal, 0, 1, _SET_OWNER_EX), refuse),
        *((equal, 1, 0, _SET_OWNER), allow, third, (equal, 0, 1, own), allow, refuse),
    ]
    for call in _FORBIDDEN[processor]:
        program += [(equal, 0, 1, call), refuse]
    program.append(allow)
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    filter_program = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    _call(libc, number, 1, 1, filter_program)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Drop all capabilities except for reading."""
    head, sets = struct.pack("Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
    if libc.capget(head, sets):
        raise OSError(ctypes.get_errno(), "capabilities")
    kept = [value & _READ_SEARCH if place < 3 else 0 for place, value in enumerate(struct.unpack("6I", sets.raw))]
    if libc.capset(head, struct.pack("6I", *kept)):
        raise OSError(ctypes.get_errno(), "capabilities")


def _no_new_privileges(libc: ctypes.CDLL) -> None:
    if libc.prctl(38, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes | None) -> int:
    """Make a system call by number.

    Raises:
        OSError: the call failed.
    """
    converted = [ctypes.c_long(value) if isinstance(value, int) else ctypes.c_char_p(value) for value in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *converted))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
