"""Pages are opened in the system's Chromium. `page` fails a test on any error and on any request to another server."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from watched_page import Watch, find_chromium

expect.set_options(timeout=20_000)  # milliseconds: a busy machine takes more than the usual 5 s


@pytest.fixture(scope="module")  # while Playwright runs, this thread has a running event loop: no other test may see it
def browser() -> Iterator[Browser]:
    program = find_chromium()
    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses root
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page; what it did is checked when the test ends."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(20_000)
    watch = Watch(page)
    yield page
    context.close()
    watch.check()
