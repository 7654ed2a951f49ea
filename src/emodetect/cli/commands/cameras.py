"""``emodetect cameras``."""

from __future__ import annotations

import click

from emodetect.cli.messages import show, show_json
from emodetect.cli.options import common_options, format_option
from emodetect.system.native_output import quiet_native_output


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@format_option
@common_options
def cameras(output_format: str) -> None:
    """List the cameras of the system with the frame sizes that they support.

    Each camera is opened briefly. Pass its number or name to 'live --source'.
    """
    with quiet_native_output():  # OpenCV prints if it cannot be imported
        from emodetect.sources.camera_list import camera_sizes, list_cameras

    found = [(camera, camera_sizes(camera)) for camera in list_cameras()]
    if output_format == "json":
        records = [
            {"index": camera.index, "name": camera.name, "backend": camera.backend, "sizes": sizes} for camera, sizes in found
        ]
        show_json(records)
    elif not found:
        show("no camera found; 'emodetect doctor' says what may help")
    else:
        from emodetect.cli.table import print_table

        rows = [
            (str(camera.index), camera.name, camera.backend, ", ".join(f"{w}x{h}" for w, h in sizes) or "cannot be opened")
            for camera, sizes in found
        ]
        print_table(("index", "name", "backend", "sizes"), rows)
