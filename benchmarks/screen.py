"""A display for windows on a machine without one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def screen() -> Iterator[None]:
    """Use the existing display or, if there is none, Xvfb with Openbox (both must be installed)."""
    if os.environ.get("DISPLAY"):
        yield
        return
    with ExitStack() as stack:
        reading, writing = os.pipe()
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1400x900x24", "-nolisten", "tcp", "-noreset"]
        server = stack.enter_context(subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL))
        stack.callback(server.terminate)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            os.environ["DISPLAY"] = f":{pipe.readline().strip()}"
        stack.callback(os.environ.pop, "DISPLAY")
        # Without a window manager, Qt sometimes misses the event for painting.
        manager = stack.enter_context(subprocess.Popen(["openbox"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        stack.callback(manager.terminate)
        yield
