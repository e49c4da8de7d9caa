"""The command `sigfft report`: the page of a run, or of several side by side. Imports come with a call."""

import argparse
from pathlib import Path
from typing import Any

from sigfft import answers


def options(add: Any) -> None:
    """The flags of the command."""
    add("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run, finished or not")
    add("--out", type=Path, help="file to write (default: report.html, in the folder of a single run or else here)")


def run(args: argparse.Namespace) -> int:
    """Writes the page, and says where."""
    from sigfft.training.page import write_page

    out = args.out or (args.runs[0] if len(args.runs) == 1 else Path()) / "report.html"
    if not out.parent.is_dir() and args.out is not None:
        raise ValueError(f"--out {out} must be a file in a folder that exists")
    if out.suffix not in (".html", ".htm"):
        raise ValueError(f"--out {out} is to be a page; give a name that ends with .html")
    write_page(args.runs, out)
    size = out.stat().st_size
    answers.say(
        args, f"{out}: {size / 1e3:.0f} kB", {"out": str(out), "bytes": size, "runs": list(map(str, args.runs))}
    )
    return 0
