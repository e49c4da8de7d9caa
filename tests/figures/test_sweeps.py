"""Figures and tables of a sweep: what is drawn and written are the numbers of its tables."""

import math
from itertools import combinations

import numpy as np
import pytest
import swept
from drawn_text import assert_apart
from matplotlib.text import Text

from sigfft.figures import style, sweeps
from sigfft.figures.sweeps.runs import FAMILIES
from sigfft.figures.sweeps.sizes import pareto_front


def lines(axis):
    """Means of every line that the legend names, by that name, as far as the number of runs."""
    named = [line for line in axis.lines if not str(line.get_label()).startswith("_")]
    return {str(line.get_label()).partition(" (")[0]: np.asarray(line.get_ydata(), float) for line in named}


def beside(axis):
    return [text.get_text() for text in axis.texts]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_scores_and_parameters_against_d(full):
    figure = sweeps.score_against_d(full, ["F1@5", "P@1"])
    f1, p1, size, other, _, _ = figure.axes
    table = [one for one in swept.rows() if one["chosen"]]
    for axis, column in ((f1, "test F1@5"), (p1, "test P@1"), (size, "head_parameters")):
        by_d = [[one[column] for one in table if (one["family"], one["d"]) == ("bottleneck", d)] for d in (25, 400)]
        assert lines(axis)["bottleneck"][[0, -1]] == pytest.approx([np.mean(each) for each in by_d])
        level = np.mean([one[column] for one in table if one["family"] == "sigmoid"])
        assert lines(axis)["full rank"] == pytest.approx([level, level])
    assert [label.get_text() for label in f1.get_xticklabels()] == ["25", "50", "100", "200", "400"]
    assert size.get_yscale() == "log"
    assert f1.get_title(loc="left") == "tate: F1@5"
    assert legend(figure)[:2] == ["full rank (3 runs)", "bottleneck (3 runs)"]
    assert "dft mixed x (3 runs)" in legend(figure)  # a family that nobody knew of
    assert (beside(f1), beside(other)) == ([], ["2 runs"])
    assert_apart(figure, "x")


def test_every_family_has_a_colour_and_a_marker_of_its_own():
    looks = [style.line_style(index, markers=True) for index in range(len(FAMILIES))]
    assert len({look["color"] for look in looks}) == len({look["marker"] for look in looks}) == len(FAMILIES)


def test_however_many_families_points_stand_nearer_to_their_d_than_to_another(tmp_path):
    families = list(FAMILIES)[1:] + [f"dft_{i}" for i in range(20)]
    sweep = sweeps.read_sweep([swept.write(tmp_path / "many.csv", swept.rows(families=families, dims=(25, 50)))])
    places = [line.get_xdata() for line in sweeps.score_against_d(sweep).axes[0].lines]
    assert len(places) == len(families)
    shifts = np.log(np.concatenate([np.divide(place, (25, 50)) for place in places]))
    assert np.abs(shifts).max() < math.log(2) / 2
    assert len(np.unique(shifts.round(6))) == len(families)


def test_a_band_spans_the_seeds(full):
    f1 = sweeps.score_against_d(full).axes[0]
    seeds = [swept.row("tate", "bottleneck", 100, seed)["test F1@5"] for seed in range(3)]
    band = f1.collections[0].get_paths()[0].vertices  # of the bottleneck: full rank is a level
    at_100 = band[np.isclose(band[:, 0], 100, rtol=0.25)][:, 1]
    assert (at_100.min(), at_100.max()) == pytest.approx((min(seeds), max(seeds)))


def test_the_front_is_of_heads_that_none_beats_at_no_more_parameters(full):
    assert pareto_front([(3, 0.5), (1, 0.2), (2, 0.2), (2, 0.4), (4, 0.5), (5, 0.6)]) == [
        *((1, 0.2), (2, 0.4), (3, 0.5), (5, 0.6))
    ]
    axis = sweeps.score_against_parameters(full).axes[0]
    drawn = dict(zip(*axis.lines[0].get_data(), strict=True))
    points = [point for line in axis.lines[1:] for point in zip(*line.get_data(), strict=True)]
    assert len(points) == 27
    assert drawn.keys() <= {x for x, _ in points}
    for x, y in points:
        assert drawn.get(x) == y or any(size <= x and score >= y for size, score in drawn.items())
    assert beside(axis).count("d = 25") == beside(axis).count("d = 400") == 5
    assert "Pareto front" in legend(axis.figure)[0]
    axis.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axis.texts]
    assert not [1 for one, other in combinations(boxes, 2) if one.overlaps(other)]


def test_shares_of_test_label_sets(full, tmp_path):
    z, features, *_ = sweeps.share_against_d(full).axes
    expected = [swept.row("tate", "bottleneck", d, 0)["argmaxable_z"] for d in (25, 50, 100, 200, 400)]
    assert lines(z)["bottleneck"] == pytest.approx(expected)
    assert lines(features)["bottleneck"] == pytest.approx(0.98 * np.array(expected))
    titles = [axis.get_title(loc="left") for axis in sweeps.share_against_d(full, epsilon=True).axes]
    assert titles[0] == "tate: by a ball of z, radius 1e-08"
    (z, _, undecided) = sweeps.share_against_d(
        swept.read(tmp_path, [swept.row("tate", "dft", 50, 0, undecided=0.1)])
    ).axes
    assert lines(undecided)["dft"].tolist() == [0.1]
    row = swept.row("tate", "dft", 50, 0, argmaxable_z="", argmaxable_features="")
    with pytest.raises(sweeps.NothingMeasured, match="no run has a share of argmaxable label sets"):
        sweeps.share_against_d(swept.read(tmp_path, [row]))


def test_curves_are_means_at_the_steps_that_all_seeds_have(full):
    figure = sweeps.dev_curves(full, "tate", d=200)
    by_step, by_time, f1, _ = figure.axes
    curves = [list(swept.curve(swept.row("tate", "bottleneck", 200, seed))) for seed in range(3)]
    common = min(map(len, curves))
    assert len({len(curve) for curve in curves}) > 1
    for axis, column in ((by_step, "dev loss"), (f1, "dev F1@5")):
        means = [np.mean([curve[i][column] for curve in curves]) for i in range(common)]
        assert lines(axis)["bottleneck"] == pytest.approx(means)
    shown = next(line for line in by_time.lines if str(line.get_label()).startswith("bottleneck ("))
    assert shown.get_xdata() == pytest.approx([0.03 * swept.EVERY * (i + 1) for i in range(common)])
    assert "full rank (3 runs)" in legend(figure)
    assert "tate, d = 200: dev loss by step" in by_step.get_title(loc="left")
    assert "d = 50" in sweeps.dev_curves(full, "tate").axes[0].get_title(loc="left")  # has a family more
    with pytest.raises(
        sweeps.NothingMeasured, match=r"no run of d = 25 on tate has evaluations with 'dev loss' or 'dev nDCG@7'"
    ):
        sweeps.dev_curves(sweeps.Sweep(full.heads[:0]), "tate", "nDCG@7", 25)


def test_races_are_ratios_within_a_seed(tmp_path):
    goals = [swept.row("tate", "bottleneck", 50, seed, steps_to_bottleneck=100 * (seed + 1)) for seed in (0, 1)]
    runs = [swept.row("tate", "dft_spread", 50, seed, steps_to_bottleneck=steps) for seed, steps in ((0, 25), (1, 200))]
    runs += [swept.row("tate", "dft_slack", 50, seed, steps_to_bottleneck="") for seed in (0, 1)]
    runs += [swept.row("tate", "dft_mixed", 50, seed, steps_to_bottleneck=steps) for seed, steps in ((0, ""), (1, 100))]
    sweep = swept.read(
        tmp_path, [*goals, *runs, swept.row("tate", "dft_spread", 100, 0), swept.row("tate", "sigmoid", None, 0)]
    )
    races = {head.name: sweep.race(head, "steps", "prior") for head in sweep.heads}
    assert races["DFT + spread, d = 50"].ratio == pytest.approx((math.sqrt(0.25), 0.25, 1.0, 2))
    assert races["DFT + slack, d = 50"] == (None, 2)
    assert races["dft mixed, d = 50"] == ((0.5, 0.5, 0.5, 1), 2)
    assert races["DFT + spread, d = 100"] is races["full rank"] is None  # nobody to race against
    steps, seconds = sweeps.race_against_d(sweep).axes  # no row of panels for the paper's start
    assert lines(steps)["DFT + spread"] == pytest.approx([0.5])
    assert "bottleneck" not in lines(steps)
    assert beside(steps) == ["1/2"]
    crosses = [line for line in steps.lines if line.get_marker() == "x"]
    assert len(crosses) == 1
    assert steps.get_ylim()[0] < 0.25 < 1 < steps.get_ylim()[1]
    assert [axis.get_title(loc="left") for axis in (steps, seconds)] == ["tate: bottleneck from our start"] * 2
    assert [axis.get_ylabel().split()[0] for axis in (steps, seconds)] == ["steps", "seconds"]


def test_titles_of_races_end_within_the_picture(tmp_path):
    rows = swept.rows("openimages_shaped", families=("bottleneck", "bottleneck_random", "dft_spread"), dims=(50,))
    figure = sweeps.race_against_d(swept.read(tmp_path, rows))
    figure.canvas.draw()
    titles = [
        text for axis in figure.axes for text in axis.get_children() if isinstance(text, Text) and text.get_text()
    ]
    assert len(titles) == 4
    assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in titles)


def test_radii_in_training_have_room_for_zero(full, tmp_path):
    assert sweeps.radius_curves(full).axes[0].get_yscale() == "log"
    path = swept.write(tmp_path / "runs.csv", [swept.row("tate", "dft", 50, 0)], curves=False)
    run = swept.row("tate", "dft", 50, 0)["run"]
    path.with_name("runs_curves.csv").write_text(f"run,step,radius\n{run},100,0.5\n{run},50,0\n{run},70,\n")
    (axis,) = sweeps.radius_curves(sweeps.read_sweep([path])).axes
    assert axis.get_yscale() == "symlog"
    assert lines(axis)["dft"].tolist() == [0, 0.5]  # in the order of their steps, without the cell that is empty
    path.with_name("runs_curves.csv").unlink()
    with pytest.raises(sweeps.NothingMeasured, match="no run has a 'radius' in its evaluations"):
        sweeps.radius_curves(sweeps.read_sweep([path]))


def test_one_run_all_equal_and_missing_cells_can_be_drawn(tmp_path):
    equal = {"test F1@5": 0.5, "test P@1": 0.5, "head_parameters": 1000, "argmaxable_z": 1}
    cases = [
        [swept.row("tate", "dft_spread", 50, 0)],
        [swept.row("tate", "sigmoid", None, 0)],
        [swept.row("tate", family, d, 0, **equal) for family in ("bottleneck", "dft_spread") for d in (25, 50)],
        [swept.row("tate", "bottleneck", 25, 0), swept.row("delicious", "bottleneck", 25, 0, **{"test F1@5": ""})],
    ]
    for runs in cases:
        sweep = swept.read(tmp_path, runs)
        for figure in (sweeps.score_against_d(sweep, ["F1@5"]), sweeps.score_against_parameters(sweep)):
            figure.draw_without_rendering()  # a warning fails
    assert beside(sweeps.score_against_d(sweep, ["F1@5"]).axes[2]) == ["no run has F1@5"]
    with pytest.raises(sweeps.NothingMeasured, match=r"no run has 'test F1@7'; expected one of test F1@5, test P@1"):
        sweeps.score_against_d(sweep, ["F1@7"])


def test_two_tables_of_one_data_set_are_told_apart(tmp_path):
    paths = [swept.write(tmp_path / f"{name}.csv", [swept.row("tate", "dft", 50, 0)]) for name in ("bag", "cnn")]
    assert sweeps.read_sweep(paths).data_sets == ["tate (bag)", "tate (cnn)"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run,data\na,b\n", "has no column family, d, head_parameters, seed, chosen; expected the table of a sweep"),
        ("", "expected a header"),
        ("run\n", "has no row"),
        ("{head}r,t,dft,x,1,0,1\n", r"runs\.csv:2: 'd' must be a number, or empty; given 'x'"),
        ("{head}r,t,dft,nan,1,0,1\n", r"runs\.csv:2: 'd' must be a number, or empty; given 'nan'"),
        ("{head}r,t,dft,5,1,0,0\n", r"runs\.csv has chosen = 1"),
        ("{head}r,t,dft,5,1,0,1\ns,t,dft,5,1,0,1\n", r"runs\.csv:2: 2 chosen runs of dft, d = 5, on t have seed 0"),
        ("{head}r,t,dft,5,1\n", "5 cells, the header has 7"),
    ],
)
def test_a_table_that_is_none_of_a_sweep_is_refused(tmp_path, text, message):
    path = tmp_path / "runs.csv"
    path.write_text(text.format(head="run,data,family,d,head_parameters,seed,chosen\n"))
    with pytest.raises(ValueError, match=message):
        sweeps.read_sweep([path])
