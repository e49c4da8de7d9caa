"""The command `sigfft convert`: a data set in another format. Imports come with a call."""

import argparse
from pathlib import Path
from typing import Any

from sigfft import answers


def options(add: Any) -> None:
    """The flags of the command."""
    add("input", type=Path, help="folder in the XMC format, of texts, or of JSON lines that this command wrote")
    add("--out", required=True, type=Path, help="new folder: XMC of texts and of JSON lines, JSON lines of XMC")
    add("--ngrams", type=int, default=1, help="of texts: words of an n-gram, at most (default: %(default)s)")
    add("--min-count", type=int, default=3, help="of texts: training texts with a word (default: %(default)s)")
    add("--text-columns", default="", help="columns of texts, separated by commas (default: those of words)")
    add("--label-column", default="", help="column of labels (default: one of a usual name)")
    add("--split-column", default="", help="column of train, dev or test (default: split)")
    add("--label-delimiter", default="", help="between labels in a string (default: | ; or ,)")
    add("--keep-unlabelled", action="store_true", help="also texts without labels")
    add("--skip-malformed", action="store_true", help="leave out bad rows, and count them")


def run(args: argparse.Namespace) -> int:
    """Converts, and says what was read."""
    from sigfft.data.conversion import convert
    from sigfft.data.raw_examples import RawOptions

    if args.ngrams < 1 or args.min_count < 1:
        raise ValueError(f"--ngrams {args.ngrams} and --min-count {args.min_count} must be at least 1")
    names = ("text_columns", "label_column", "split_column", "label_delimiter", "keep_unlabelled", "skip_malformed")
    reading = RawOptions(**{name: getattr(args, name) for name in names})
    about = convert(args.input, args.out, ngrams=args.ngrams, min_count=args.min_count, options=reading)
    answers.say(args, about, {"out": str(args.out), "about": about})
    return 0
