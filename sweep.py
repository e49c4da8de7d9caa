"""Compare heads: `python sweep.py --config=configs/xmc.py --config.data.dir=FOLDER --dims=25,50 --workdir=runs/sweep`.

The same as `sigfft sweep`, which says what it takes with --help.
"""

import sys

from sigfft.cli import main

if __name__ == "__main__":
    sys.exit(main(["sweep", *sys.argv[1:]]))
