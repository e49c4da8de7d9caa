"""Eight virtual CPU devices, and JAX at its strictest: no silent promotion of dtypes or ranks, and annotations hold."""

import os

# The user's flags are kept; of two counts the last one holds. Most of a test's time is LLVM's, which need not optimise.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
    " --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # also on a machine with a GPU; processes that tests start inherit it
os.environ.setdefault("MPLBACKEND", "agg")

from pathlib import Path

import jax
import jaxtyping
import pytest
from annotated import PACKAGES

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
if os.environ["JAX_PLATFORMS"] != "cpu":  # the tests' own products; tests/test_precision.py looks at the package's
    jax.config.update("jax_default_matmul_precision", "highest")
jaxtyping.install_import_hook(PACKAGES, "annotated.checked")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets, named by SIGFFT_DATA; tests that need it are skipped without it."""
    if "SIGFFT_DATA" not in os.environ:
        pytest.skip("SIGFFT_DATA is not set: it names the folder that holds bibtex/, delicious/, tate/ and tibkat_en/")
    return Path(os.environ["SIGFFT_DATA"]).resolve()


@pytest.fixture(autouse=True)
def _annotations(request, monkeypatch):
    if request.node.get_closest_marker("loose_types"):
        monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
