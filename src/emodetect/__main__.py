"""Entry point of ``emodetect`` and ``python -m emodetect``. Imports only what is needed to report a missing package."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; report a package that cannot be imported."""
    try:
        from emodetect.cli.main import main as run

        run()
    except KeyboardInterrupt:  # before the command line handles signals
        print("emodetect: interrupted", file=sys.stderr, flush=True)
        os._exit(130)
    except ImportError as error:
        from emodetect.errors import broken_package, first_line
        from emodetect.system.install_hints import package_cure

        name = broken_package(error) or "emodetect"
        sys.exit(f"emodetect: the package {name} is missing or broken ({first_line(error)}): {package_cure(name)}")


if __name__ == "__main__":
    main()
