"""Train, evaluate and check output heads: `python train.py --config=configs/demo.py --workdir=runs/demo`.

The same as `sigfft train`, which also takes the name of a config, such as demo, in place of its file.
"""

import sys

from sigfft.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
