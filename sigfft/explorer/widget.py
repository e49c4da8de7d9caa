"""The explorer in a notebook: the page of `server` as a widget, its messages carried by the kernel."""

from importlib import resources
from typing import Any

from sigfft.explorer.desk import Desk
from sigfft.explorer.lanes import Job
from sigfft.explorer.session import Session
from sigfft.extras import needs

with needs("explore", "sigfft.explore"):
    import anywidget

_STATIC = resources.files("sigfft.explorer").joinpath("static")


def _text(name: str) -> str:
    return _STATIC.joinpath(name).read_text(encoding="utf-8")


class Explorer(anywidget.AnyWidget):
    """A widget on a session. A request of its page has an "id", which its events carry.

    Args:
      session: answers.
    """

    _esm = f"{_text('explorer.js')}\n{_text('widget.js')}"
    _css = _text("explorer.css")

    def __init__(self, session: Session):
        super().__init__()
        self.session, self._desk = session, Desk(session)
        self._jobs: dict[Any, Job] = {}
        self.on_msg(self._asked)

    def _asked(self, _: Any, request: dict[str, Any], __: Any) -> None:
        number = request.get("id")
        if request.get("do") == "stop":
            if number in self._jobs:
                self._jobs[number].stop()
            return

        def send(event: dict[str, Any]) -> None:
            if event["kind"] == "end":
                self._jobs.pop(number, None)
            self.send({"id": number, **event})

        try:
            self._jobs[number] = self._desk.ask(request, send)
        except ValueError as error:
            send({"kind": "error", "text": str(error)})
            send({"kind": "end"})
