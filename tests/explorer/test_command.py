"""`sigfft explore` and `sigfft.explore`: what they take, and what they refuse."""

import socket

import numpy as np
import pytest
from explorer.small_layers import CIRCLE, NAMES, head_and_params

import sigfft
from sigfft.cli import main
from sigfft.explorer import server


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("W.npz", weight=CIRCLE)
    sigfft.save_head("head.safetensors", *head_and_params())
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    return tmp_path


@pytest.fixture
def served(monkeypatch):
    """The sessions that would be served, and on which port."""
    found = []

    def serve(session, port=0, told=print):
        found.append((session, port))
        told("http://127.0.0.1:1/secret/")

    monkeypatch.setattr(server, "serve", serve)
    return found


def test_a_layer_is_served_with_its_names(folder, served, capsys):
    before = sorted(folder.iterdir())
    assert main(["explore", "--weights", "W.npz", "--names", "names.txt", "--port", "8642"]) == 0
    ((session, port),) = served
    assert (port, session.index.names, session.truths) == (8642, tuple(NAMES), None)
    said = capsys.readouterr()
    assert said.out.startswith("http://127.0.0.1:1/secret/\nonly this machine")
    assert said.err == "6 labels, 2 dimensions, float64, no bias\n"
    assert sorted(folder.iterdir()) == before


def test_a_head_is_served_with_its_truths_or_as_the_layer_of_a_threshold(folder, served):
    assert main(["explore", "--weights", "head.safetensors", "--domain", "nonnegative"]) == 0
    assert main(["explore", "--weights", "head.safetensors", "--threshold", "0.25"]) == 0
    (head, _), (layer, _) = served
    assert head.truths.domain == "nonnegative"
    assert layer.truths is None
    np.testing.assert_allclose(layer.layer.bias, np.log(3), rtol=1e-6)


def test_the_page_is_opened_where_asked(folder, served, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["explore", "--weights", "W.npz", "--open"]) == 0
    assert opened == ["http://127.0.0.1:1/secret/"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--weights W.npz --names short.txt", "names must be one for each of the 6 labels"),
        ("--weights W.npz --domain nonnegative", "--domain is about the features of a head"),
        ("--weights W.npz --port 70000", "--port must be 0 to 65535; given 70000"),
        ("--weights none.npz", "none.npz"),
    ],
)
def test_what_does_not_fit_is_one_line(folder, capsys, flags, said):
    (folder / "short.txt").write_text("one\n")
    assert main(["explore", *flags.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_port_in_use_is_one_line(folder, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert main(f"explore --weights W.npz --port {other.getsockname()[1]}".split()) == 2
    assert "in use" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (lambda: (head_and_params()[0],), {}, "with its parameters"),
        (head_and_params, {"transposed": True}, "without transposed="),
        (lambda: (CIRCLE,), {"domain": "nonnegative"}, "domain= is about a head's features"),
        (lambda: (CIRCLE,), {"names": ["one"]}, "given 1 names"),
        (lambda: (CIRCLE[0],), {}, "weight must be"),
    ],
)
def test_a_notebook_is_told_what_does_not_fit(given, options, said):
    with pytest.raises(ValueError, match=said):
        sigfft.explore(*given(), **options)
