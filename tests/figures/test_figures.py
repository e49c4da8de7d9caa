import numpy as np
import pytest
from matplotlib.figure import Figure

from sigfft import figures
from sigfft.figures.label_sets import STATUS_STYLE
from sigfft.figures.style import line_style, panels_of

CURVES = {
    "bottleneck": [
        {"step": 20, "loss": 3.0},
        {"step": 10, "loss": 5.0},
        {"step": 20, "P@1": 0.4},
        {"step": 30, "P@1": 0.3},
    ],
    "dft": [{"step": 10, "loss": 4.0, "P@1": 0.2}, {"step": 20, "loss": 2.0, "P@1": 0.5}],
}
METRICS = {"bottleneck": {"P@10": 0.1, "P@1": 0.5, "F1@1": 0.2, "mean F1@1": 0.9, "micro F1": 0.3, "F1@10": 0.4}}
METRICS["dft"] = METRICS["bottleneck"] | {"P@1": 0.6}


def lines(axis):
    """Label, steps and values of every labelled line."""
    found = [line for line in axis.get_lines() if not line.get_label().startswith("_")]
    return {line.get_label(): (line.get_xdata().tolist(), line.get_ydata().tolist()) for line in found}


def test_learning_curve_draws_sorted_records_and_names_the_best():
    loss, metric = figures.learning_curve(CURVES).axes
    assert lines(loss) == {"bottleneck": ([10, 20], [5, 3]), "dft": ([10, 20], [4, 2])}
    assert lines(metric) == {
        "bottleneck: best P@1 0.400 at step 20": ([20, 30], [0.4, 0.3]),
        "dft: best P@1 0.500 at step 20": ([10, 20], [0.2, 0.5]),
    }
    assert "development" in metric.get_title(loc="left")


def test_learning_curve_without_development_split_has_one_panel():
    (loss,) = figures.learning_curve({"dft": [{"step": 1, "loss": 2.0}]}).axes
    assert "Loss" in loss.get_title(loc="left")
    with pytest.raises(ValueError, match=r"nDCG@5.*\['dft'\]"):
        figures.learning_curve({"dft": [{"step": 1, "P@1": 2.0}]}, metric="nDCG@5")


def test_metric_against_k_reads_exactly_the_named_metric():
    precision, f1 = figures.metric_against_k({h: dict(sorted(m.items())) for h, m in METRICS.items()}).axes
    assert lines(precision) == {"bottleneck": ([1, 10], [0.5, 0.1]), "dft": ([1, 10], [0.6, 0.1])}
    assert lines(f1)["dft"] == ([1, 10], [0.2, 0.4])
    assert precision.get_xticks().tolist() == [1, 10]
    with pytest.raises(ValueError, match=r'"bottleneck" has no "R@k".*P@10'):
        figures.metric_against_k(METRICS, names=("R",))


def test_a_head_keeps_its_looks_in_every_figure():
    looks = [
        [(line.get_color(), line.get_linestyle()) for line in axis.get_lines() if not line.get_label().startswith("_")]
        for axis in (*figures.learning_curve(CURVES).axes, *figures.metric_against_k(METRICS).axes)
    ]
    assert looks == [looks[0]] * 4
    assert len(set(looks[0])) == 2
    many = [tuple(line_style(index, markers=True).values()) for index in range(28)]
    assert len(set(many)) == 28


def test_panels_fill_rows_and_leave_no_empty_axes():
    figure, axes = panels_of(5, 3, width=2.0, height=1.0)
    assert figure.axes == axes
    assert [axis.get_subplotspec().rowspan.start for axis in axes] == [0, 0, 0, 1, 1]
    assert figure.get_size_inches().tolist() == [6, 2.8]


def test_argmaxable_share_stacks_to_one():
    cardinality = np.array([1, 1, 1, 1, 3, 3])
    status = ["argmaxable", "argmaxable", "undecided", "unargmaxable", "unargmaxable", "unargmaxable"]
    first, second = figures.argmaxable_share({"a": (cardinality, status), "b": (np.array([3]), ["argmaxable"])}).axes
    bars = [[(bar.get_y(), bar.get_height()) for bar in container] for container in first.containers]
    # Cardinalities 1, 2, 3; argmaxable, undecided, unargmaxable from the bottom.
    assert bars == [[(0, 0.5), (0, 0), (0, 0)], [(0.5, 0.25), (0, 0), (0, 0)], [(0.75, 0.25), (0, 0), (0, 1)]]
    assert [text.get_text() for text in first.texts] == ["4", "0", "2"]
    assert first.get_title(loc="left") == "a: 2 argmaxable, 1 undecided, 3 unargmaxable of 6 sets"
    assert second.get_title(loc="left") == "b: 1 argmaxable of 1 sets"


def test_the_legend_of_statuses_speaks_of_activations_and_fits():
    figure = figures.argmaxable_share({"a": (np.array([1, 1, 1]), list(STATUS_STYLE))})
    figure.draw_without_rendering()
    (legend,) = figure.legends
    texts = {text.get_text() for text in legend.get_texts()}
    assert {"argmaxable: some activation z gives it", "unargmaxable: no activation z gives it"} < texts
    assert figure.bbox.x0 <= legend.get_window_extent().x0 < legend.get_window_extent().x1 <= figure.bbox.x1


@pytest.mark.parametrize(
    ("cardinality", "bounds"),
    [
        ([2, 4], [2, 3, 4, 5]),
        ([0, 12], list(range(14))),
        ([7, 23, 77], [6, 8, 11, 16, 21, 31, 51, 76, 78]),
        ([1, 20], [1, 2, 3, 4, 5, 6, 8, 11, 16, 21]),
        ([500_000, 900_000], [300_001, 500_001, 750_001, 900_001]),
    ],
)
def test_cardinality_bounds_cover_every_set(cardinality, bounds):
    assert _cardinality_bounds(np.array(cardinality)) == bounds
    assert np.histogram(cardinality, bounds)[0].sum() == len(cardinality)


@pytest.mark.parametrize(
    ("reports", "message"),
    [
        ({}, "empty"),
        ({"a": (np.array([], int), [])}, '"a" needs one'),
        ({"a": (np.array([1, 2]), ["argmaxable"])}, r"\(2,\) and \(1,\)"),
        ({"a": (np.array([1]), ["maybe"])}, "'maybe'.*argmaxable, undecided, unargmaxable"),
    ],
)
def test_argmaxable_share_rejects(reports, message):
    with pytest.raises(ValueError, match=message):
        figures.argmaxable_share(reports)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_save_is_deterministic(tmp_path, suffix):
    paths = [tmp_path / "new folder" / f"{name}.{suffix}" for name in "ab"]
    for path in paths:
        figures.save(figures.metric_against_k(METRICS), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert not any(word in paths[0].read_bytes() for word in (b"CreationDate", b"dc:date", b"Software"))


def test_save_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")

    def fail(self, part, **_):
        part.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        figures.save(Figure(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
