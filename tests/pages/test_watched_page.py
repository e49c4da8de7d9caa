"""The watch sees what a page must not do, and the browser is there."""

import http.server
import threading

import pytest
from watched_page import ADVICE, Watch, find_chromium


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<link rel=icon href='data:,'><p>here</p>")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def servers():
    """Addresses of two servers that answer every path."""
    started = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) for _ in range(2)]
    for server in started:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [f"http://127.0.0.1:{server.server_port}/" for server in started]
    for server in started:
        server.shutdown()
        server.server_close()


def test_page_is_rendered(page, servers):
    page.goto(servers[0])
    assert page.inner_text("p") == "here"


@pytest.mark.parametrize("script", ["console.error('odd')", "setTimeout(() => { throw Error('odd') })"])
def test_errors_are_seen(browser, script):
    page = browser.new_page()
    watch = Watch(page)
    page.set_content(f"<script>{script}</script>")
    page.wait_for_timeout(50)
    page.close()
    with pytest.raises(AssertionError, match="odd"):
        watch.check()


def test_requests_to_others_are_seen(browser, servers, tmp_path):
    page = browser.new_page()
    watch = Watch(page)
    page.goto(servers[0])
    page.evaluate("fetch('/own')")
    watch.check()
    page.evaluate("address => fetch(address, {mode: 'no-cors'})", servers[1])
    with pytest.raises(AssertionError, match="requests to others"):
        watch.check()
    page.close()

    page = browser.new_page()
    watch = Watch(page)
    (tmp_path / "alone.html").write_text(f"<img src='{servers[1]}picture.png'>", encoding="utf-8")
    page.goto((tmp_path / "alone.html").as_uri())
    page.close()
    assert watch.elsewhere == [f"{servers[1]}picture.png"]


def test_without_chromium_it_is_said_what_to_do(monkeypatch):
    monkeypatch.delenv("SIGFFT_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        find_chromium()
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception) as skipped:
        find_chromium()
    assert str(skipped.value) == ADVICE
