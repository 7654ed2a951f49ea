"""``python -m emodetect``."""

from emodetect.cli import main

main()
