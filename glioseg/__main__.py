"""``python -m glioseg``."""

from glioseg.cli import main

main()
