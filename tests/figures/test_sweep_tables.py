"""Tables of a sweep: each cell is the mean of its runs, and claims are of the heads that dev prefers."""

import math

import numpy as np
import pytest
import swept

from sigfft.figures import sweeps
from sigfft.figures.sweeps.cells import share_told


def test_cells_are_means_with_ranges_and_numbers_of_runs(tmp_path):
    scores = {"test P@1": 0.5, "test P@5": "", "test PSP@5": "", "argmaxable_z": 0.99996, "best_step": 1200}
    runs = [swept.row("a_b", "dft_spread", 50, seed, **scores | {"test F1@5": 0.4 + 0.01 * seed}) for seed in range(3)]
    runs[1]["argmaxable_features"] = ""
    failed = {column: "" for column in runs[0] if "test" in column} | {"error": "loss is nan"}
    runs.append(swept.row("a_b", "dft_spread", 50, 3, **failed))
    table, course = sweeps.tables(swept.read(tmp_path, runs))
    row = {"head": "DFT + spread, d = 50", "head parameters": "53,500", "runs": "3 (1 failed)"}
    scores = {"P@1": "0.500", "F1@5": "0.410 (0.400–0.420)", "best step": "1,200"}
    shares = {"argmaxable, z": "99.9 %", "argmaxable, features": "98.0 %, 2 of 3 runs"}
    assert dict(zip(table.header, *table.rows, strict=True)) == row | scores
    assert dict(zip(course.header, *course.rows, strict=True)) == {"head": row["head"], "runs": row["runs"]} | shares
    text = sweeps.markdown(table).splitlines()
    assert text[2:] == [
        "| head | head parameters | runs | P@1 | F1@5 | best step |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| " + " | ".join(table.rows[0]) + " |",
    ]
    code = sweeps.latex(table)
    assert r"\caption{a\_b: test scores" in code
    assert r"DFT + spread, d = 50 & 53,500 & 3 (1 failed) & 0.500 & 0.410 (0.400--0.420) & " in code
    assert r"\shortstack{argmaxable,\\z} & \shortstack{argmaxable,\\features} \\" in sweeps.latex(course)
    assert r"DFT + spread, d = 50 & 3 (1 failed) & 99.9 \% & " in sweeps.latex(course)
    assert code.count(r" \\") == 2
    assert [code.index(rf"\{rule}rule") for rule in ("top", "mid", "bottom")] == sorted(
        code.index(rf"\{rule}rule") for rule in ("top", "mid", "bottom")
    )


def test_races_in_tables(full):
    _, tate, _, other = sweeps.tables(full)
    rows = {row[0]: dict(zip(tate.header, row, strict=True)) for row in tate.rows}
    assert len(rows) == 27
    assert rows["bottleneck, d = 50"]["steps to bottleneck"] == "1.00"
    assert rows["full rank"]["steps to bottleneck"] == "–"
    seeds = [
        [swept.row("tate", f, 50, s)["seconds_to_bottleneck"] for s in range(3)] for f in ("dft_slack", "bottleneck")
    ]
    ratios = np.divide(*seeds)
    told = f"{math.exp(np.log(ratios).mean()):.2f} ({ratios.min():.2f}–{ratios.max():.2f})"
    assert rows["DFT + slack, d = 50"]["seconds to bottleneck"] == told
    assert "2 (1 failed)" in [row[1] for row in other.rows]


def swept_head(family, d, scores, parameters=100, **changes):
    """A run a seed: of that dev score at step 100, after which the curve rises further, and of a higher test score."""
    best = 1 - math.exp(-4)
    return [
        swept.row("tate", family, d, seed, **{"test F1@5": score / best, "dev_score": score, "best_step": 100})
        | {"head_parameters": parameters, "argmaxable_z": 1.0}
        | changes
        for seed, score in enumerate(scores)
    ]


def test_claims_take_the_head_that_dev_prefers_among_those_of_no_more_parameters(tmp_path):
    runs = [
        *swept_head("bottleneck", 50, (0.50, 0.40), argmaxable_z=0.9),
        *swept_head("bottleneck_random", 50, (0.30, 0.30)),
        *swept_head("dft_slack", 50, (0.80, 0.80), parameters=101),  # too large
        *swept_head("dft_spread", 200, (0.60, 0.45), parameters=57, **{"test F1@5": 0.47}),
        *swept_head("dft_spread", 50, (0.50, 0.40), **{"test F1@5": 0.9}),  # better on test alone
        *swept_head("dft_embedding", 50, (0.90,)),  # of one seed
        *swept_head("sigmoid", None, (0.70, 0.70), parameters=900),
        *swept_head("bottleneck", 25, (0.20, 0.20), parameters=50),
    ]
    (table,) = sweeps.claims(swept.read(tmp_path, runs))
    smaller, row = (dict(zip(table.header, cells, strict=True)) for cells in table.rows)
    assert row["data set, d"] == "tate, d = 50"
    assert (row["that DFT head"], row["its parameters"]) == ("DFT + spread, d = 200", "57 %")
    assert (row["DFT"], row["full rank"]) == ("0.470", f"{0.7 / (1 - math.exp(-4)):.3f}")
    assert (row["bottleneck's sets"], row["DFT's sets"]) == ("90.0 %", "100 %")
    # Its scores at steps of 50 are the test score times 0.865, 0.982: only seed 1 gets to 0.40, at the first
    assert row["steps"] == "0.50, 1 of 2 runs"
    assert row["steps, paper's start"] == "0.50"
    assert (smaller["that DFT head"], smaller["DFT"], smaller["steps"]) == ("–", "–", "–")
    assert smaller["bottleneck, paper's start"] == "–"
    assert sweeps.claims(swept.read(tmp_path, swept_head("dft_spread", 50, (0.5,)))) == []


def test_of_a_loss_less_is_better(tmp_path):
    """In tables `dev_score` is the loss as it is, 45 at the start and 22 less where training ends."""
    of_loss = {"dev_metric": "loss", "best_step": 100}
    runs = [
        *swept_head("bottleneck", 50, (0.5,), **of_loss | {"dev_score": 26.0}),
        *swept_head("dft_slack", 50, (0.5,), **of_loss | {"dev_score": 30.0}),
        *swept_head("dft_spread", 50, (0.5,), **of_loss | {"dev_score": 24.0}),
    ]
    (table,) = sweeps.claims(swept.read(tmp_path, runs))
    row = dict(zip(table.header, *table.rows, strict=True))
    assert row["that DFT head"] == "DFT + spread, d = 50"
    assert row["steps"] == "1.00"  # at 50 steps the loss is 26.0 with both, not less than 26


def test_steps_are_to_the_first_of_equal_evaluations(tmp_path):
    runs = [*swept_head("bottleneck", 50, (0.5,)), *swept_head("dft_spread", 50, (0.5,))]
    runs[0]["best_step"], path = 400, tmp_path / "runs.csv"
    swept.write(path, runs, curves=False)
    points = {runs[0]["run"]: ((100, 0.5), (200, 0.4), (400, 0.5)), runs[1]["run"]: ((100, 0.4), (200, 0.6))}
    lines = [f"{run},{step},{score}" for run, curve in points.items() for step, score in curve]
    (tmp_path / "runs_curves.csv").write_text("\n".join(["run,step,dev F1@5", *lines]))
    runs_read = sweeps.read_sweep([path])
    (table,) = sweeps.claims(runs_read)
    assert dict(zip(table.header, *table.rows, strict=True))["steps"] == "2.00"


def test_a_rate_at_the_end_of_its_list_is_marked(tmp_path):
    noted = swept.row("tate", "dft_slack", 50, 0, note="the chosen rate is the smallest of those tried")
    table, _ = sweeps.tables(swept.read(tmp_path, [noted, swept.row("tate", "dft_spread", 50, 0, note="")]))
    assert [row[0] for row in table.rows] == ["DFT + slack, d = 50*", "DFT + spread, d = 50"]
    assert "An asterisk: the chosen rate is the smallest or the largest" in table.caption
    table, _ = sweeps.tables(swept.read(tmp_path, [swept.row("tate", "dft_spread", 50, 0)]))
    assert "asterisk" not in table.caption


@pytest.mark.parametrize(
    ("share", "told"),
    [(1.0, "100 %"), (0.0, "0 %"), (0.99999, "99.9 %"), (0.00001, "0.1 %"), (0.7, "70.0 %"), (0.598, "59.8 %")],
)
def test_a_share_is_all_or_nothing_only_where_it_is(share, told):
    assert share_told(share) == told
