"""Memory estimate of a Keras model's activations before its first run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from emodetect.backends.limits import activation_limit, size_in_words
from emodetect.errors import ModelError


def check_activations(path: Path, graph: Any) -> None:
    """Reject a model with an activation that is too large for the memory limit.

    A file of a few kilobytes can request any amount of memory, for example by padding.

    Args:
        path: the file, for the error message.
        graph: TensorFlow graph of a traced function; unknown dimensions, such as the batch size, count as 1.

    Raises:
        ModelError: an activation is too large.
    """
    max_bytes = activation_limit()
    for operation in graph.get_operations():
        for output in operation.outputs:
            if output.shape.rank is None:
                continue
            size = math.prod(length or 1 for length in output.shape.as_list()) * max(output.dtype.size, 1)
            if size > max_bytes:
                raise ModelError(
                    f"{path}: {operation.name} takes {size_in_words(size)} for each face; "
                    f"a layer may take {size_in_words(max_bytes)}, a sixteenth of `max_model_memory`"
                )
