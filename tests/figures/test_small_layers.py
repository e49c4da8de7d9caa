"""Drawings of layers of a few labels: what is drawn is what the layer does."""

import math
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from sigfft import check, figures
from sigfft.argmaxability.theory import cyclic
from sigfft.figures.arrangements import cardinality_colour

WEIGHT = np.array([[2.0, 1.0], [-1.0, 2.0], [1.5, 2.0], [3.0, -1.0]])
BIAS = np.array([1.0, 2.0, -0.5, 1.0])
SETS = figures.all_sets(4)


def statuses(weight, bias=None, sets=SETS):
    return check(weight, sets, bias=bias).status


def reached(weight, bias=None):
    return {figures.set_name(one) for one, status in zip(SETS, statuses(weight, bias), strict=True) if status[0] == "a"}


def names_in(axis):
    return {text.get_text() for text in axis.texts if text.get_weight() != "bold"} - {""}


def test_all_sets_are_there_once_the_small_ones_first():
    assert [figures.set_name(one) for one in figures.all_sets(3)] == ["∅", "A", "B", "C", "AB", "AC", "BC", "ABC"]


@pytest.mark.parametrize("bias", [None, BIAS])
def test_the_plane_names_the_sets_that_the_checker_proves(bias):
    figure = figures.arrangement(WEIGHT, SETS, statuses(WEIGHT, bias), bias)
    plane, listed = figure.axes
    assert names_in(plane) == reached(WEIGHT, bias)
    assert names_in(listed) == set(map(figures.set_name, SETS))
    assert len(listed.lines) == 2 * (16 - len(reached(WEIGHT, bias)))  # a cross over each lost set
    assert listed.get_title(loc="left") == f"{len(reached(WEIGHT, bias))} of 16 label sets have a region"


def test_the_two_sides_of_the_sphere_have_all_sets_together():
    weight = np.column_stack([WEIGHT, BIAS])
    front, behind, _ = figures.arrangement(weight, SETS, statuses(weight)).axes
    assert names_in(front) == reached(WEIGHT, BIAS)
    assert names_in(front) | names_in(behind) == reached(weight)


def test_pixels_have_the_colour_of_what_is_on_there_and_letters_stand_on_its_side():
    (plane, _) = figures.arrangement(WEIGHT, SETS, statuses(WEIGHT, BIAS), BIAS, radius=2.0).axes
    image = plane.images[0].get_array()
    size = len(image)
    for x, y in [(0.5, 0.5), (-0.7, 0.2), (0.1, -0.9), (0.3, -0.2)]:
        active = WEIGHT @ (2.0 * np.array([x, y])) + BIAS > 0
        pixel = image[round((y + 1) / 2 * (size - 1)), round((x + 1) / 2 * (size - 1))]
        assert pixel.tolist() == pytest.approx(to_rgb(cardinality_colour(int(active.sum()), 4)))
    letters = [text for text in plane.texts if text.get_weight() == "bold" and text.get_text()]
    assert sorted(text.get_text() for text in letters) == list("ABCD")
    for text in letters:
        i = "ABCD".index(text.get_text())
        assert WEIGHT[i] @ (2.0 * np.array(text.get_position())) + BIAS[i] > 0


def test_a_label_whose_cut_is_out_of_sight_has_no_line():
    figure = figures.arrangement(np.eye(2), figures.all_sets(2), ["argmaxable"] * 4, np.array([0.0, 100.0]))
    assert names_in(figure.axes[0]) == {"B", "AB"}
    assert [text.get_text() for text in figure.axes[0].texts if text.get_weight() == "bold"] == ["A"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.eye(4), [], []), r"\(n_labels, 2\) or \(n_labels, 3\).*\(4, 4\)"),
        ((np.eye(3), [], [], np.ones(3)), "without a bias"),
        ((np.eye(2), [[0], [1]], ["argmaxable"]), "2 label sets need a status each; given 1"),
    ],
)
def test_an_arrangement_that_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        figures.arrangement(*arguments)


def test_the_hasse_diagram_fills_the_sets_of_the_layer():
    sets = figures.all_sets(5)
    layers = {"lost": ["unargmaxable"] * 32, "DFT": statuses(cyclic.rows(5, 1), sets=sets)}
    lost, dft = figures.hasse(layers, 5).axes
    assert dft.get_title(loc="left") == "DFT: 22 of 32 label sets"
    assert names_in(dft) == set(map(figures.set_name, sets))
    filled = {text.get_text() for text in dft.texts if text.get_bbox_patch().get_facecolor()[:3] != (1, 1, 1)}
    possible = np.flatnonzero(layers["DFT"] == "argmaxable")
    assert filled == {figures.set_name(sets[i]) for i in possible}
    edges = 5 * 2**4  # of the lattice
    assert (len(lost.lines), len(dft.lines)) == (edges + 32, edges + 10)
    heights = {text.get_text(): text.get_position()[1] for text in dft.texts}
    assert all(heights[figures.set_name(one)] == len(one) for one in sets)


def test_names_of_a_hasse_diagram_stand_apart():
    figure = figures.hasse({"all": ["argmaxable"] * 64}, 6)
    figure.draw_without_rendering()
    boxes = sorted(
        (text.get_bbox_patch().get_window_extent() for text in figure.axes[0].texts), key=lambda b: (b.y0, b.x0)
    )
    rows = {round(box.y0): [] for box in boxes}
    for box in boxes:
        rows[round(box.y0)].append(box)
    assert [len(row) for row in rows.values()] == [1, 6, 15, 20, 15, 6, 1]
    assert all(left.x1 < right.x0 for row in rows.values() for left, right in pairwise(row))


def test_beyond_six_labels_sets_are_dots_with_their_numbers():
    sets = figures.all_sets(7)
    status = np.where([len(one) <= 2 for one in sets], "argmaxable", "unargmaxable")
    (axis,) = figures.hasse({"pairs": status}, 7).axes
    on, off = axis.lines
    assert [len(line.get_xdata()) for line in (on, off)] == [29, 99]
    assert max(on.get_ydata()) == 2 < min(off.get_ydata())
    told = {text.xy[1]: text.get_text() for text in axis.texts}
    assert (told[2], told[3]) == ("21 of 21", "0 of 35")
    light, dark = (len(edges.get_segments()) for edges in axis.collections)
    assert (dark, light + dark) == (7 + 42, 7 * 2**6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"a": []}, 11), "n_labels must be between 1 and 10"),
        (({"a": ["argmaxable"]}, 1), '"a" needs a status for each of 2 label sets; given 1'),
        (({}, 1), "at least one layer"),
    ],
)
def test_a_hasse_diagram_that_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        figures.hasse(*arguments)


def test_around_the_circle_labels_lie_on_their_wave():
    z, _ = cyclic.witness([2, 6], 12, 2)
    wave = cyclic.rows(240, 2) @ z
    circle, turn = figures.around_circle(12, [2, 6], wave).axes
    off, on = (dict(line.get_xydata().tolist()) for line in turn.lines[-2:])
    assert list(on) == [2, 6]
    assert min(on.values()) > 0 > max(off.values())
    assert {**on, **off} == {i: wave[20 * i] for i in range(12)}
    radial = circle.lines[1].get_xydata()
    outside = np.hypot(*radial[:-1].T) > 1
    seen = np.abs(wave) > 1e-9  # not where it crosses zero
    assert (outside == (wave > 0))[seen].all()
    assert "joined" not in circle.get_title(loc="left")


def test_without_a_wave_the_chords_of_a_conflict_cross():
    (certificate,) = check(cyclic.rows(12, 1), [[2, 6]]).certificate
    circle, turn = figures.around_circle(12, [2, 6], None, certificate.labels).axes
    chords = [line.get_xydata() for line in circle.lines if line.get_linewidth() == 2 and line.get_marker() == "None"]
    (a, b), (c, d) = chords
    shares = np.linalg.solve(np.column_stack([b - a, c - d]), c - a)
    assert ((shares > 0) & (shares < 1)).all()
    assert "too often" in turn.get_title(loc="left")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, [0], np.ones(12)), "multiple of n_labels=5 points; given 12"),
        ((5, [0, 5], None), r"between 0 and 4; given \[5\]"),
        ((5, [0], None, (0, -1)), r"between 0 and 4; given \[-1\]"),
    ],
)
def test_a_circle_that_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        figures.around_circle(*arguments)


def test_the_lifted_curve_is_cut_by_its_plane():
    figure = figures.lifted_curve(12, [0, 6], level=0.75, azimuth=10.0)
    _, lifted = figure.axes
    off, on = (np.array(line.get_data_3d()) for line in lifted.lines[-2:])
    assert on[2].min() > 0.75 > off[2].max()
    assert on[2] == pytest.approx(2 * on[0] ** 2 - 1)  # cos 2t
    assert (lifted.azim, len(lifted.collections)) == (10.0, 1)
    assert not figures.lifted_curve(12, [0]).axes[1].collections
    assert math.isclose(figures.lifted_curve(12, [0]).axes[1].azim, -55.0)
