"""Every notebook runs from top to bottom, and is stored with its outputs.

    python tests/test_notebooks.py

runs them all and stores the outputs anew; names such as 02_the_bottleneck behind it, those alone.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


# Code that LLVM need not optimise: what notebooks compile they run a few times.
QUICKLY_COMPILED = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


def execute(path, folder, **environment):
    """The notebook with fresh outputs; raises CellExecutionError at the first cell that fails."""
    notebook = nbformat.read(path, as_version=4)
    # Without folders of installed kernels "python3" is the running Python.
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=600,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    # The one device and the drawing backend of a reader, not those of the tests.
    reader = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "MPLBACKEND")}
    client.execute(env=reader | {"IPYTHONDIR": str(folder)} | environment, cleanup_kc=True)
    return notebook


def store(path):
    """Run a notebook and save it with outputs, without traces of the machine and widgets, which need a kernel."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = execute(path, folder)
    for cell in code_cells(notebook):
        cell.outputs = [output for output in cell.outputs if not is_widget(output)]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def is_widget(output):
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == [
        "01_quickstart",
        "02_the_bottleneck",
        "03_the_dft_head",
        "04_check_your_model",
        "05_choose_a_head",
        "06_scale_and_serve",
    ]


@each_notebook
def test_runs(path, tmp_path):
    notebook = execute(path, tmp_path, XLA_FLAGS=QUICKLY_COMPILED)
    assert all(cell.execution_count for cell in code_cells(notebook))


@each_notebook
def test_is_stored_with_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    outputs = [output for cell in cells for output in cell.outputs]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any(output.output_type == "stream" for output in outputs)
    assert not any(map(is_widget, outputs))
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"


if __name__ == "__main__":
    wanted = sys.argv[1:]
    for notebook_path in NOTEBOOKS:
        if not wanted or notebook_path.stem in wanted:
            store(notebook_path)
