import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from run_folders import HEADS, HOSTILE, changed, written

from sigfft import cli
from sigfft.training.page import write_page
from sigfft.training.page.records import HeadRecord, RunRecord
from sigfft.training.page.sections import columns_of, sentences
from sigfft.training.workdir import Workdir

VOID = {"meta", "link", "img", "br", "input"}


class Parsed(HTMLParser):
    """Tags, attributes and texts of a page."""

    def __init__(self, path):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return written(tmp_path_factory.mktemp("runs") / "<b>run")


@pytest.fixture
def page(tmp_path):
    def made(*runs):
        write_page(runs, tmp_path / "page.html")
        return Parsed(tmp_path / "page.html")

    return made


def test_a_page_shows_what_the_folder_holds_and_asks_for_nothing(run, page, tmp_path):
    parsed = page(run)
    links = [value for name, value in parsed.attributes if name in ("href", "src", "srcset", "data", "action")]
    assert all(value.startswith("#") or value == "data:," for value in links)
    ids = [value for name, value in parsed.attributes if name == "id"]
    assert {value[1:] for value in links if value.startswith("#")} <= set(ids)
    assert len(ids) == len(set(ids))
    assert parsed.tags.count("script") == parsed.tags.count("style") == 1
    assert not {"img", "iframe", "i"} & set(parsed.tags)
    whole = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not [word for word in ("url(", "@import", "fetch(", "XMLHttp", "http:", "https:") if word in whole]
    for shown in (
        *("1,000 train, 10 dev, 20 test", "12.5", "1.23 GB", "0.269", "micro F1 on dev", "sets of up to 6"),
        *("--config.name=hostile", "P@1 on the development split", "loss", *HEADS, HOSTILE, f"{HOSTILE} (0)"),
        *("harmonic mean of P@k and R@k", "in real arithmetic", "on features", "at thresholds", "optim.learning_rate"),
    ):
        assert shown in parsed.text, shown
    assert "What is absent" not in parsed.text


def test_the_same_folder_gives_the_same_bytes_and_a_failure_leaves_the_old_page(run, tmp_path, monkeypatch):
    out = tmp_path / "page.html"
    write_page([run], out)
    first = out.read_bytes()
    write_page([run], out)
    assert out.read_bytes() == first
    monkeypatch.setattr("jinja2.Template.render", lambda *_: "\ud800")  # no UTF-8
    with pytest.raises(ValueError, match="surrogates"):
        write_page([run], out)
    assert out.read_bytes() == first
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("counts", "on_features", "said"),
    [
        ((5, 0, 0), 0, "All 5 distinct test label sets can be output."),
        (
            (5, 0, 0),
            2,
            "All 5 distinct test label sets can be output; features that the encoder can give leave out 2 of",
        ),
        (
            (3, 2, 0),
            3,
            "2 of 5 distinct test label sets can never be output, whatever the input; features that the encoder",
        ),
        ((4, 0, 1), 0, "4 of 5 distinct test label sets can be output; 1 are undecided."),
        ((2, 2, 1), 2, "2 of 5 distinct test label sets can never be output, whatever the input; 1 are undecided."),
    ],
)
def test_what_was_proved_is_said_in_a_sentence(counts, on_features, said):
    own = dict(zip(("argmaxable", "unargmaxable", "undecided"), counts, strict=True)) | {"checked": 5}
    entry = {"argmaxability": own, "argmaxability_on_features": {"unargmaxable": on_features}}
    run = RunRecord("run", Path(), {}, {}, None, [HeadRecord("a", entry, [])], [])
    (sentence,) = sentences(columns_of([run]))
    assert f"{sentence['text']}.".startswith(said)
    bar = sentence["bar"]
    assert (bar.argmaxable, bar.unargmaxable, bar.undecided) == tuple(count / 5 for count in counts)


def test_runs_side_by_side_are_told_apart(run, page, tmp_path):
    other = written(tmp_path / "other" / "<b>run", heads=HEADS[:1], names=False, seed=1)
    parsed = page(run, other)
    assert f"{other}: {HEADS[0]}" in parsed.text
    assert f"{run}: {HEADS[1]}" in parsed.text
    third = page(run, written(tmp_path / "third", heads=HEADS[:1]))
    assert f"third: {HEADS[0]}" in third.text
    assert f"<b>run: {HEADS[0]}" in third.text


def test_what_a_run_lacks_is_named(page, tmp_path):
    begun = page(written(tmp_path / "begun", finished=False))
    assert "report.json: the run is not finished" in begun.text
    assert "No metrics" in begun.text
    assert "Loss on training batches" in begun.text
    alone = tmp_path / "alone"
    Workdir(alone).path.mkdir()
    (alone / "config.json").write_text("{}")
    bare = page(alone)
    for absent in ("config.json:", "report.json:", "metrics.jsonl:", "No curves", "No verdicts", "No metrics"):
        assert absent in bare.text, absent
    old = written(tmp_path / "old", names=False)

    def older(content):
        del content["memory"], content["meaning"]
        for entry in content["heads"]:
            for key in ("check_seconds", "thresholds", "test_at_threshold", "argmaxability_at_threshold"):
                del entry[key]
        content["heads"][1]["argmaxability"] = None

    changed(old, older)
    Workdir(old).verdicts(HEADS[0]).unlink()
    parsed = page(old)
    assert "Peak memory: not recorded" in parsed.text
    assert "verdicts/bottle<i>neck_d2.jsonl: verdicts of bottle<i>neck d=2 that report.json counts" in parsed.text
    assert "Test label sets were not checked" in parsed.text
    assert "dft_k6.jsonl" not in parsed.text  # of a check before, perhaps
    assert "at thresholds:" not in parsed.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("report.json", "{", "report.json is not JSON"),
        ("report.json", '{"heads": 3}', "not what this version of sigfft writes"),
        ("report.json", '{"heads": [{"name": "a", "test": {"P@1": "x"}}]}', "not what this version"),
        ("config.json", "[]", "config.json is not JSON as it was written"),
        ("metrics.jsonl", "{}\n", "metrics.jsonl, line 1"),
        ("verdicts/dft_k6.jsonl", "{}\n", "dft_k6.jsonl, line 1"),
    ],
)
def test_a_damaged_file_is_a_line_and_no_page(tmp_path, capsys, name, content, message):
    run = written(tmp_path / "run")
    (run / name).write_text(content)
    assert cli.main(["report", str(run)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sigfft report: ")
    assert message in line
    assert not (run / "report.html").exists()


def test_the_command(run, tmp_path, capsys, monkeypatch):
    assert cli.main(["report", str(run), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"out": str(run / "report.html"), "bytes": (run / "report.html").stat().st_size, "runs": [str(run)]}
    other = written(tmp_path / "other")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report", str(run), str(other)]) == 0
    assert capsys.readouterr().out.startswith("report.html: ")
    assert (tmp_path / "report.html").is_file()
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, message in {
        (str(empty),): "holds no run",
        (str(empty / "none"),): "holds no run",
        (str(other), str(other)): "each once",
        (str(other), "--out", "none/page.html"): "in a folder that exists",
    }.items():
        assert cli.main(["report", *arguments]) == 2
        assert message in capsys.readouterr().err
