"""Checks a wheel and an sdist, and imports the wheel as installed: `python .ci/released.py dist`."""

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from packaging.metadata import Metadata


def main(folder: Path) -> None:
    """Raises AssertionError or packaging's errors for what is wrong."""
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as file:
        inside = set(file.namelist())
        metadata = Metadata.from_email(file.read(next(n for n in inside if n.endswith("METADATA"))), validate=True)
    with tarfile.open(sdist) as file:
        source = {name.partition("/")[2] for name in file.getnames()}
        told = file.extractfile(f"{sdist.name.removesuffix('.tar.gz')}/PKG-INFO")
        assert told is not None
        same = Metadata.from_email(told.read(), validate=True)
    assert (metadata.name, metadata.version) == (same.name, same.version)
    assert metadata.description == Path("README.md").read_text(encoding="utf-8")
    assert inside >= {"sigfft/py.typed", "sigfft/configs/demo.py", "sigfft/cli.py"}
    assert {name.partition("/")[0] for name in inside} == {"sigfft", f"sigfft-{metadata.version}.dist-info"}
    assert source >= {"tests/conftest.py", "docs/conf.py", "notebooks/01_quickstart.ipynb", "CITATION.cff", "LICENSE"}
    assert not [
        name for name in source if name.startswith(("docs/_build", "docs/made", "docs/notebooks", "runs", ".venv"))
    ]
    with tempfile.TemporaryDirectory() as target:
        install = ["pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target, str(wheel)]
        subprocess.run([sys.executable, "-m", *install], check=True)
        code = (
            "import sigfft, sigfft.cli as c; print(sigfft.__file__); c.main(['count', '--labels', '9', '--dim', '3'])"
        )
        run = [sys.executable, "-c", f"import sys; sys.path.insert(0, {target!r}); {code}"]
        said = subprocess.run(run, check=True, cwd=target, capture_output=True, text=True).stdout
    assert said.startswith(str(Path(target, "sigfft"))), said
    assert "argmaxable" in said
    print(f"{wheel.name}, {sdist.name}: {len(inside)} and {len(source)} files, installed and imported")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
