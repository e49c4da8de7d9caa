"""What stands in for a sweep's worker processes, in a file of its own: a new process imports no more than this."""

import os
import signal
import sys
import time


def waits(began):
    """Takes one of the files by making it, says there what SIGINT does, and makes another after SIGTERM."""
    own = next(path for path in began if _made(path))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_made(f"{own}.ended") and 143))
    own.write_text(str(signal.getsignal(signal.SIGINT)))
    time.sleep(60)
    sys.exit("nobody ended this process")


def fails(began):
    """The first that comes ends early."""
    sys.exit(3 if _made(began[0]) else 0)


def _made(path):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
