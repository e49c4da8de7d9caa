"""One picture: what share of label sets is argmaxable in real numbers, as stored, and as deployed, against spread."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from sigfft.figures.style import legend, line_style, panels_of, title


def truths_against_spread(panels: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """One panel for each setting, one line for each truth; earlier lines are wider, as many coincide.

    Args:
      panels: by title, such as "n = 20,000, k = 50", records {"spread": 200, "ideal": 1.0, "stored": 0.99,
        "float32": 0.99, ...}; every key but "spread" is a share and becomes a line.

    Raises:
      ValueError: no panels, or a panel without records.
    """
    if not panels or not all(panels.values()):
        raise ValueError(f"every panel needs at least one record with a spread; given {dict(panels)}")
    figure, axes = panels_of(len(panels), 2, width=4.2, height=2.9, sharey=True)
    for axis, (name, records) in zip(axes, panels.items(), strict=True):
        ordered = sorted(records, key=lambda record: record["spread"])
        spread = [record["spread"] for record in ordered]
        truths = [key for key in ordered[0] if key != "spread"]
        for index, truth in enumerate(truths):
            style = line_style(index, markers=True, covered_by=len(truths) - 1 - index)
            axis.plot(spread, [record[truth] for record in ordered], label=truth, fillstyle="none", **style)
        title(axis, name)
        axis.set_xlabel("spread, frequencies")
        axis.set_xticks(spread)
    axes[0].set_ylim(-0.08, 1.08)
    axes[0].yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.supylabel("share of random k-label sets output exactly", fontsize=9)
    legend(figure, *axes)
    return figure
