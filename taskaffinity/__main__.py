"""``python -m taskaffinity``."""

from taskaffinity.cli import main

main()
