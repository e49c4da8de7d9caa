"""What README and the documentation show: their pages, code blocks, commands and links."""

import contextlib
import re
import shlex
from pathlib import Path

import jax

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
_MADE = {"_build", "made", "notebooks"}  # by the build of the documentation
DOCS = sorted(path for path in (ROOT / "docs").rglob("*.md") if not _MADE & set(path.relative_to(ROOT / "docs").parts))


def blocks(path, language):
    """The code blocks of a language on a page, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(path):
    """Lines of a page's shell blocks, without their comments; what && joins is told apart."""
    lines = [line for block in blocks(path, "bash") for line in block.splitlines() if line.strip()]
    return [" ".join(part) for line in lines for part in _parts(shlex.split(line, comments=True, posix=False))]


def _parts(words):
    while "&&" in words:
        at = words.index("&&")
        yield words[:at]
        words = words[at + 1 :]
    yield words


def runs(code, folder, capsys):
    """The lines that a Python block prints, run in a folder as a user's program is: JAX is not strict there."""
    capsys.readouterr()
    with contextlib.chdir(folder), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec(compile(code, "block", "exec"), {"__name__": "__main__"})
    return capsys.readouterr().out.splitlines()


def headings(path):
    """The anchors of a page's headings."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#{1,3} (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
