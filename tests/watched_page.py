"""What a page does in a real browser: its errors, and where it asked for something."""

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import ConsoleMessage, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ADVICE = "no Chromium on the PATH: `apt-get install chromium` (as root), or name the program in SIGFFT_CHROMIUM"
INSIDE = {"data", "blob", "about"}  # addresses that ask nobody


def find_chromium() -> str:
    """The system's Chromium. Without one a test is skipped with what to do, and in CI it fails."""
    given = os.environ.get("SIGFFT_CHROMIUM")
    found = given if given and Path(given).is_file() else next(filter(None, map(shutil.which, NAMES)), None)
    if given and found != given:
        pytest.fail(f"SIGFFT_CHROMIUM={given} is no file")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(ADVICE)
    return found


class Watch:
    """Records errors and requests of a page, and tells what an honest local page would not have done."""

    def __init__(self, page: Page):
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"console {message.type}: {message.text}")

    @property
    def elsewhere(self) -> list[str]:
        """Requests that went neither to the server of the first one, nor, for a file, to that file."""
        asked = [url for url in self.requests if urlsplit(url).scheme not in INSIDE]
        return [url for url in asked if _server(url) != _server(asked[0])]

    def check(self) -> None:
        """Raise an AssertionError on the first sign of trouble."""
        assert not self.errors, self.errors
        assert not self.elsewhere, f"requests to others than the page's own server: {self.elsewhere}"


def _server(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if parts.scheme == "file" else parts.netloc
