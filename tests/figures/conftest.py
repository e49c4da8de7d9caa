"""A sweep that figures and tables are of."""

import pytest
import swept

from sigfft.figures import sweeps


@pytest.fixture(scope="session")
def full(tmp_path_factory):
    """Two data sets, six families and another one, three seeds; on the second a run failed."""
    folder = tmp_path_factory.mktemp("sweeps")
    tate = swept.rows() + [swept.row("tate", "dft_mixed_x", 50, seed) for seed in range(3)]
    other = swept.rows("a_b&c", dims=(25, 50))
    for one in other:
        if (one["family"], one["d"], one["seed"]) == ("dft_slack", 50, 2):
            one.update({column: "" for column in one if "test" in column or "argmax" in column}, error="not finite")
    return sweeps.read_sweep([swept.write(folder / "tate.csv", tate), swept.write(folder / "other.csv", other)])
