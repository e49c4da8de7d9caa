"""The explorer in a real browser: type, click, read the verdict."""

import http.client
import itertools
import queue
import re
import threading
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import uvicorn
from explorer.small_layers import BIAS, CIRCLE, NAMES, head_and_params
from explorer.writes import no_writes
from playwright.sync_api import expect

import sigfft
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.explorer import Session, server


@contextmanager
def served(session):
    """The address of a session's page."""
    addresses, servers = queue.Queue(), queue.Queue()

    class Recorded(uvicorn.Server):
        def __init__(self, config):
            super().__init__(config)
            servers.put(self)

    with pytest.MonkeyPatch.context() as patch, no_writes():
        patch.setattr(uvicorn, "Server", Recorded)
        thread = threading.Thread(target=server.serve, args=(session,), kwargs={"told": addresses.put})
        thread.start()
        try:
            yield addresses.get(timeout=20)
        finally:  # or what fails would wait for this thread for ever
            servers.get(timeout=20).should_exit = True
            thread.join(20)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def address():
    with served(Session(CIRCLE, BIAS, names=NAMES)) as address:
        yield address


def verdict(page, said, labels):
    expect(page.locator(f".verdict[data-labels='{labels}'] .status")).to_contain_text(said)


def bar(page):
    """Where the bar of a margin begins, in percent of its scale from -1 to 1."""
    return page.eval_on_selector(".verdict .range", "e => 100 * e.offsetLeft / e.parentElement.clientWidth")


def test_type_click_and_read_the_verdict(page, address):
    page.goto(address)
    verdict(page, "Possible", "")  # the empty set
    expect(page.locator(".title")).to_have_text("6 labels, 2 dimensions, float64, with a bias")
    page.get_by_label("Search labels").fill("lake")
    expect(page.locator(".results li")).to_have_count(2)
    page.get_by_label("salt lake").check()
    verdict(page, "Possible", "4")
    expect(page.locator(".verdict .margin")).to_contain_text(re.compile(r"margin from 0\.\d+ to"))
    assert bar(page) > 50  # right of zero
    page.get_by_label("lake", exact=False).first.check()
    verdict(page, "Impossible", "4,1")
    assert bar(page) < 50
    expect(page.locator(".conflict h3")).to_contain_text("labels contradict each other")
    expect(page.locator(".conflict p").nth(1)).to_have_text("on: lake (1)salt lake (4)")
    expect(page.locator(".conflict p").nth(2)).to_have_text(re.compile("^off: "))
    expect(page.locator(".near")).to_contain_text("All possible sets that differ in one label: 2.")
    expect(page.locator(".near li")).to_have_text([re.compile(r"switch off lake"), re.compile(r"switch off salt lake")])
    page.get_by_role("button", name="use this set").first.click()
    verdict(page, "Possible", "4")
    page.locator(".chip").first.click()
    expect(page.locator(".chips")).to_contain_text("none: this is the empty set")


def test_the_keyboard_is_enough(page, address):
    page.goto(address)
    page.get_by_label("Search labels").focus()
    page.keyboard.type("river")
    expect(page.locator(".results li")).to_have_count(1)
    page.keyboard.press("Enter")
    verdict(page, "Possible", "5")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    verdict(page, "Possible", "")
    page.keyboard.press("Space")
    page.get_by_label("Decision rule").select_option("argmax")
    verdict(page, "Possible", "5")
    page.get_by_role("button", name="Switch off river").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".verdict .error")).to_contain_text("exactly one label")


def test_each_part_keeps_to_the_rule(page, address):
    page.goto(address)
    for name in ("salt lake", "river"):
        page.get_by_label(name).check()
    verdict(page, "Possible", "4,5")
    page.get_by_label("Decision rule").select_option("argmax")
    verdict(page, "Possible", "5")  # the last one stays
    page.locator(".results input").first.check()
    verdict(page, "Possible", "0")  # in the place of the other
    page.get_by_label("Label sets, one a line").fill("0,1\n")
    page.get_by_role("button", name="Decide all").click()
    expect(page.locator(".many .error")).to_contain_text("exactly one label")
    page.get_by_role("button", name="Draw").click()
    expect(page.locator(".random .error")).to_contain_text("exactly one label")


def test_names_are_text_and_nothing_else(page, address):
    page.goto(address)
    for name in NAMES:
        page.locator(".results label", has_text=name).first.locator("input").check()
    verdict(page, "Impossible", "0,1,2,3,4,5")
    page.get_by_label("Label sets, one a line").fill("0,1,2,3,4,5\n")
    page.get_by_role("button", name="Decide all").click()
    expect(page.locator(".sets tbody tr")).to_contain_text(NAMES[2])
    expect(page.locator(".conflict")).to_contain_text("contradict")
    assert page.locator(".chip", has_text=NAMES[2]).count() == 1
    assert page.get_by_role("button", name=f"Switch off {NAMES[3]}").count() == 1
    assert page.locator("img").count() == 0


def test_sets_of_a_file_are_sorted_by_margin(page, address):
    page.goto(address)
    text = "2,3\n0,2,4\n0,3\n1\n0,3\n"
    page.get_by_label("File of label sets").set_input_files(
        {"name": "sets.txt", "mimeType": "text/plain", "buffer": text.encode()}
    )
    rows = page.locator(".sets tbody tr")
    expect(rows).to_have_count(4)
    expect(page.locator(".many")).to_contain_text("4 distinct sets: 2 impossible, 0 undecided")
    margins = page.eval_on_selector_all(
        ".sets .number", "cells => cells.map(c => c.textContent.replaceAll('−', '-').split(' to ').map(Number))"
    )
    assert [sum(margin) for margin in margins] == sorted(sum(margin) for margin in margins)
    page.get_by_role("button", name="margin").click()
    expect(rows.first).to_contain_text("Possible")
    rows.first.get_by_role("button", name="look").click()
    expect(page.locator(".verdict .status")).to_contain_text("Possible")
    page.get_by_label("Label sets, one a line").fill("0,1\nfish\n")
    page.get_by_role("button", name="Decide all").click()
    expect(page.locator(".many .error")).to_contain_text("given sets, line 2")


def test_random_sets_show_a_share(page, address):
    page.goto(address)
    random = page.locator(".random")
    random.get_by_label("labels each").fill("3")
    random.get_by_role("button", name="Draw").click()
    expect(random).to_contain_text("6 of 20 all sets of 3 possible")
    expect(random).to_contain_text("share 30.0 %")
    random.get_by_label("sets", exact=True).fill("15")
    random.get_by_role("button", name="Draw").click()
    expect(random).to_contain_text(re.compile(r"of 15 random sets of 3 possible.*with 95 % confidence", re.DOTALL))
    random.get_by_label("labels each").fill("7")
    random.get_by_role("button", name="Draw").click()
    expect(random.locator(".error")).to_contain_text("1 to 6 labels here; given 7")


def test_a_head_shows_four_truths_and_what_is_long_is_undecided_or_stopped(page, address):
    class Slow(Session):
        def _decided(self, rule, wanted, seconds):
            if wanted == {1} and seconds < 600:
                return Verdict("undecided", (-0.5, 0.25), "lp", reason=f"the time limit of {seconds:g} s was reached")
            return super()._decided(rule, wanted, seconds)

    with served(Slow.of_head(*head_and_params())) as other:
        assert urlsplit(other).path != urlsplit(address).path  # each has its secret
        page.set_viewport_size({"width": 400, "height": 800})  # a phone
        page.goto(other)
        page.locator(".results input").first.check()
        verdict(page, "Possible", "0")
        expect(page.locator(".truths tr")).to_have_text([re.compile("^(ideal|stored|deployed|features)Possible")] * 4)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator(".chip").click()
        page.locator(".results input").nth(1).check()
        verdict(page, "Undecided", "1")
        expect(page.locator(".verdict")).to_contain_text("time limit")
        expect(page.locator(".truths tr").nth(1)).to_have_text(re.compile("^storedundecided"))
        page.get_by_role("button", name="Try for up to 10 minutes").click()
        verdict(page, "Possible", "1")
        random = page.locator(".random")
        random.get_by_label("labels each").fill("8")
        random.get_by_label("sets", exact=True).fill("100000")
        random.get_by_role("button", name="Draw").click()
        expect(random).to_contain_text("to go")
        random.get_by_role("button", name="Stop").click()
        expect(random).to_contain_text("stopped; the interval holds")
        random.get_by_role("button", name="Draw").click()
        expect(random).to_contain_text("to go")  # the server ends while it still answers


def test_the_widget_shows_the_same_page(page):
    from sigfft.explorer.widget import Explorer

    widget = sigfft.explore(CIRCLE, BIAS, names=NAMES)
    assert isinstance(widget, Explorer)
    assert "application/vnd.jupyter.widget-view+json" in widget._repr_mimebundle_()[0]
    sent = queue.Queue()
    widget.send = sent.put  # what the kernel would carry

    def endless(*_):
        counts = {"exact": False, "argmaxable": 0, "undecided": 0, "low": 0.0, "high": 1.0}
        for done in itertools.count(1):
            yield {"kind": "share", "done": done, "total": 10**9, **counts}
            time.sleep(0.01)

    widget.session.share = endless
    page.expose_function("ask", lambda request: widget._asked(widget, request, None))
    page.expose_function("answers", lambda: [sent.get() for _ in range(sent.qsize())])
    page.set_content("<style></style><div id=cell></div>")
    page.evaluate(
        """async ([code, style]) => {
            document.querySelector("style").textContent = style;
            const url = URL.createObjectURL(new Blob([code], {type: "text/javascript"}));
            const widget = (await import(url)).default;
            const listeners = [];
            const model = {
                on: (name, listener) => listeners.push(listener),
                off: () => {},
                send: ask,
            };
            setInterval(async () => (await answers()).forEach((e) => listeners.forEach((l) => l(e))), 20);
            widget.render({model, el: document.getElementById("cell")});
        }""",
        [widget._esm, widget._css],
    )
    page.get_by_label("salt lake").check()
    verdict(page, "Possible", "4")
    others = ":is(button, select, input:not([type=search], [type=number])):not([data-lm-suppress-shortcuts])"
    assert page.locator(f".sigfft-explorer {others}").count() == 0  # JupyterLab would take a letter for a command
    page.get_by_role("button", name="Draw").click()
    expect(page.locator(".random")).to_contain_text("to go")
    page.locator(".random").get_by_role("button", name="Stop").click()
    expect(page.locator(".random")).to_contain_text("stopped")
    page.evaluate("document.getElementById('cell').style.width = '450px'")  # two notebooks side by side
    columns = "[...document.querySelectorAll('.columns')].map((e) => getComputedStyle(e).gridTemplateColumns)"
    assert [len(each.split()) for each in page.evaluate(columns)] == [1, 1]
    ends = time.monotonic() + 20
    while widget._jobs and time.monotonic() < ends:  # what was stopped ends soon
        page.wait_for_timeout(50)
    assert not widget._jobs
    sent = queue.Queue()
    widget.send = sent.put
    widget._asked(widget, {"id": "x", "do": "rm"}, None)
    refused, end = sent.get(), sent.get()
    assert (refused["id"], refused["kind"], end["kind"]) == ("x", "error", "end")
    assert not widget._jobs


def asked(address, path=None, method="GET", host=None, body=None):
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.request(method, parts.path if path is None else path, body, {} if host is None else {"Host": host})
    response = connection.getresponse()
    status, text = response.status, response.read().decode()
    connection.close()
    return status, text, response.headers


def test_only_who_has_the_address_is_served(address):
    token = urlsplit(address).path.strip("/")
    status, text, headers = asked(address)
    assert (status, "explorer.css" in text) == (200, True)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert urlsplit(address).hostname == "127.0.0.1"
    assert len(token) >= 32
    for path in ("/", "/explorer.js", "/ask", f"/{token[:-1]}/", f"/{token}x/", "//", f"/x/{token}/"):
        assert asked(address, path)[0] == 404, path
    assert asked(address, "/ask", "POST", body='{"do": "about"}')[0] == 404
    for host in ("evil.example", f"evil.example:{urlsplit(address).port}", "127.0.0.1.evil.example"):
        assert asked(address, host=host)[0] == 400, host
    for path in ("nothing.js", "../server.py", "..%2fserver.py", "%2e%2e/server.py"):
        assert asked(address, f"/{token}/{path}")[0] == 404, path
    assert asked(address, f"/{token}")[2]["Location"] == f"/{token}/"


def test_requests_that_are_none_are_refused(address, monkeypatch):
    ask = f"{urlsplit(address).path}ask"
    for body in ("", "{", "[1]", '{"do": "rm"}', "\xff"):
        assert asked(address, ask, "POST", body=body.encode("latin-1"))[0] == 400, body
    assert asked(address, ask)[0] == 404
    assert '"n_labels": 6' in asked(address, ask, "POST", body='{"do": "about"}')[1]
    monkeypatch.setattr(server, "_LARGEST", 10)
    assert asked(address, ask, "POST", body='{"do": "about"}')[0] == 413
