"""Write one benchmark's table into RESULTS.md, with what is needed to judge it; other sections stay as they are."""

import datetime
import os
import platform
import re
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import jax

from sigfft.files import write_text

RESULTS = Path(__file__).with_name("RESULTS.md")


def write_section(title: str, about: str, text: str, path: Path = RESULTS) -> None:
    """Put a table under the heading `title`, with what tells how to read and judge it; replaces that section only.

    Args:
      title: the heading.
      about: what the columns mean; `explained(__doc__)` takes it from a benchmark's docstring.
      text: the table, and perhaps a figure.
      path: the file.
    """
    origin = f"`{command()}`\n\n{machine()}; {versions()}; {datetime.date.today()}."
    section = f"## {title}\n\n{origin}\n\n{about}\n\n{text.strip()}\n"
    old = path.read_text(encoding="utf-8") if path.exists() else "# Results\n"
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", old, re.MULTILINE | re.DOTALL)
    if found is None:
        new = f"{old.rstrip()}\n\n{section}"
    else:
        new = f"{old[: found.start()]}{section}\n{old[found.end() :]}".rstrip() + "\n"
    write_text(path, new)


def explained(docstring: str) -> str:
    """The paragraphs of a module's docstring after its first line and its commands."""
    paragraphs = docstring.strip().split("\n\n")[1:]
    return "\n\n".join(paragraph for paragraph in paragraphs if not paragraph.startswith(" "))


def command() -> str:
    """How this process was started; of folders and files only the names."""
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])


def machine() -> str:
    """The device that JAX computes on, and the cores beside it."""
    device = jax.devices()[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{device.device_kind} ({device.platform}), {cores} cores {platform.machine()}"


def versions() -> str:
    """Versions that the numbers depend on."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{p} {version(p)}" for p in ("jax", "numpy"))])


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines: list[Sequence[object]] = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
