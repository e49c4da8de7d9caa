"""`python -m sigfft` is the command `sigfft`."""

import sys

from sigfft.cli import main

if __name__ == "__main__":
    sys.exit(main())
