"""``python -m taskaffinity``, and the command ``taskaffinity``: an interrupt is one line, even during imports."""

from __future__ import annotations

import os
import shlex
import signal
import sys


def main() -> None:
    """Import the commands and run one; see ``taskaffinity.cli.main``."""
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_default:  # a shell may start a command that ignores it
        signal.signal(signal.SIGINT, _end)
    from taskaffinity.cli import main as run  # takes a second

    if is_default:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run()
    except KeyboardInterrupt:
        _end()


def _end(*_: object) -> None:
    """End the process with one line and exit code 130; nothing was started that needs an orderly end."""
    line = f"interrupted; nothing was done; this starts again: taskaffinity {shlex.join(sys.argv[1:])}\n"
    os.write(2, line.encode(errors="backslashreplace"))
    os._exit(130)


if __name__ == "__main__":
    main()
