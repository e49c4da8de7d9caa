import numpy as np
import pytest

from sigfft.argmaxability import check, checker, progress, stages
from sigfft.argmaxability.search.finding import Finding


class Bar:
    """What tqdm shows: counts and texts at each look."""

    def __init__(self, total, disable, **_):
        self.n, self.total, self.disable, self.text, self.seen = 0, total, disable, "", []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def set_postfix_str(self, text, refresh):
        self.text = text

    def refresh(self):
        self.seen.append((self.n, self.text))


@pytest.fixture
def bars(monkeypatch):
    made = []
    monkeypatch.setattr(checker.tqdm, "tqdm", lambda **options: made.append(Bar(**options)) or made[-1])
    monkeypatch.setattr(progress, "_LEAST", 0.0)
    return made


def test_the_bar_moves_within_a_batch_and_says_what_it_waits_for(bars, monkeypatch):
    rng = np.random.default_rng(0)
    weight, sets = rng.normal(size=(30, 4)), [[i, (i * 7 + 1) % 30, (i + 11) % 30] for i in range(12)]
    check(weight, sets, batch_size=6, progress=True)
    (bar,) = bars
    counts = [n for n, _ in bar.seen]
    assert (bar.n, bar.text, bar.total) == (12, "", 12)
    assert min(n for n in counts if n) > 0
    assert len({n for n in counts if n < 6}) > 2  # in the first batch
    assert max(counts) == 12
    assert any("round 1 of the search, set 2 of" in text for _, text in bar.seen)

    monkeypatch.setattr(
        stages.working_set, "search", lambda system, _, padded, clock: [Finding.nothing(system.width) for _ in padded]
    )
    check(weight, sets[:3], progress=True)
    texts = [text for _, text in bars[1].seen]
    assert "3 slow sets left, this one of 3 labels: linear program 1" in texts
    assert [n for n, text in bars[1].seen if text.endswith("labels")][:3] == [0, 1, 2]
    assert bars[1].n == 3


def test_without_a_bar_nothing_is_told(bars):
    check(np.eye(3), [[0], [1]])
    assert bars[0].disable
    assert not bars[0].seen
