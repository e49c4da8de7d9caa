import pytest
from drawn_text import assert_apart
from matplotlib.figure import Figure

from sigfft import figures
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
    names = "bottleneck: best P@1 0.400 at step 20", "dft: best P@1 0.500 at step 20"
    assert lines(loss) == {names[0]: ([10, 20], [5, 3]), names[1]: ([10, 20], [4, 2])}
    assert lines(metric) == {names[0]: ([20, 30], [0.4, 0.3]), names[1]: ([10, 20], [0.2, 0.5])}
    assert "development" in metric.get_title(loc="left")


def test_learning_curve_without_development_split_has_one_panel():
    (loss,) = figures.learning_curve({"dft": [{"step": 1, "loss": 2.0}]}).axes
    assert "Loss" in loss.get_title(loc="left")
    with pytest.raises(ValueError, match=r"nDCG@5.*\['dft'\]"):
        figures.learning_curve({"dft": [{"step": 1, "P@1": 2.0}]}, metric="nDCG@5")


def test_the_best_loss_is_the_smallest_and_a_head_without_values_has_no_line():
    records = [{"step": 10, "loss": 3.0, "dev loss": 2.0}, {"step": 20, "loss": 2.0, "dev loss": 2.5}]
    figure = figures.learning_curve({"a": records, "b": [{"step": 10, "loss": 4.0}], "c": []}, metric="dev loss")
    loss, dev = figure.axes
    assert list(lines(dev)) == ["a: best dev loss 2.000 at step 10"]
    assert list(lines(loss)) == ["a: best dev loss 2.000 at step 10", "b"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(lines(loss))


def test_small_differences_look_small_and_fractions_end_at_one():
    def drawn(low, high):
        figure = figures.learning_curve({"a": [{"step": 1, "P@1": low}, {"step": 2, "P@1": high}]})
        return figure.axes[0].get_ylim()

    low, high = drawn(0.507, 0.538)
    assert high - low > 5 * 0.031
    assert low < 0.507 < 0.538 < high
    low, high = drawn(0.98, 0.99)
    assert high == pytest.approx(1.02)
    assert high - low > 0.3
    low, high = drawn(0.1, 0.6)
    assert (high - low) == pytest.approx(0.55)


def test_numbers_of_cut_offs_do_not_overlap():
    metrics = {f"{name}@{k}": 1 / k for name in ("P", "F1") for k in (1, 2, 3, 4, 5, 10, 50, 100)}
    figure = figures.metric_against_k({"a": metrics})
    assert figure.axes[0].get_xticks().tolist() == [1, 10, 50, 100]
    assert_apart(figure, "x")
    steps = [{"step": step, "loss": 1.0} for step in (1, 2_345_678, 9_999_999)]
    assert_apart(figures.learning_curve({"a": steps}), "x")


def test_a_name_is_drawn_as_it_stands():
    name = "$\\frac{<b>"  # as a formula it is an error
    figure = figures.metric_against_k({name: METRICS["dft"], "\u6f22\x07": METRICS["dft"]})
    figure.draw_without_rendering()  # a warning, which fails, where a character has no glyph
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == [name.replace("$", r"\$"), "\u25a1\u25a1"]


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
    many = [tuple(line_style(index, markers=True).values()) for index in range(32)]
    assert len(set(many)) == 32


def test_panels_fill_rows_and_leave_no_empty_axes():
    figure, axes = panels_of(5, 3, width=2.0, height=1.0)
    assert figure.axes == axes
    assert [axis.get_subplotspec().rowspan.start for axis in axes] == [0, 0, 0, 1, 1]
    assert figure.get_size_inches().tolist() == [6, 2.8]


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
