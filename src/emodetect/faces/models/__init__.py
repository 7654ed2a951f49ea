"""The networks that find faces."""

from pathlib import Path

BLAZEFACE = Path(__file__).parent / "blazeface_full_range.onnx"
"""BlazeFace, full range; see NOTICE."""
