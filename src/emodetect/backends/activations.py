"""How much memory the layers of a Keras model take, known before any of them is run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from emodetect.backends.limits import activation_limit, size_in_words
from emodetect.errors import ModelError


def check_activations(path: Path, graph: Any) -> None:
    """Refuse a model one of whose layers gives more for a face than fits.

    A file of a few kilobytes can ask for any amount, by padding for example.

    Args:
        path: named in the error.
        graph: TensorFlow's, of a traced function; sizes that it does not know, as of the batch, count as 1.

    Raises:
        ModelError: it is refused.
    """
    most = activation_limit()
    for operation in graph.get_operations():
        for output in operation.outputs:
            if output.shape.rank is None:
                continue
            size = math.prod(length or 1 for length in output.shape.as_list()) * max(output.dtype.size, 1)
            if size > most:
                raise ModelError(
                    f"{path}: {operation.name} takes {size_in_words(size)} for each face; "
                    f"a layer may take {size_in_words(most)}, a sixteenth of `max_model_memory`"
                )
