"""The explorer as a local page: on 127.0.0.1 alone, for who has the address. It writes nothing and asks nobody."""

import asyncio
import contextlib
import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from importlib import resources

from sigfft.explorer.desk import Desk
from sigfft.explorer.lanes import Event, Job
from sigfft.explorer.session import Session
from sigfft.extras import needs

with needs("explore", "sigfft explore"):
    import uvicorn
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
    from starlette.routing import Route
    from starlette.types import ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"
_LARGEST = 1 << 26  # bytes of a request
_LOOK = 0.25  # seconds between two looks at whether the server ends
_KINDS = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
_HEADERS = {
    # Names of labels are shown as text; should one ever be taken for markup, it could neither run nor ask anything.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Secret:
    """Lets through what begins with the token: nobody else on this machine, and no page of the web, knows it."""

    def __init__(self, app: ASGIApp, token: str):
        self.app, self.token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            first, slash, rest = scope["path"].removeprefix("/").partition("/")
            if not secrets.compare_digest(first.encode(), self.token):
                await PlainTextResponse("not found", 404, _HEADERS)(scope, receive, send)
                return
            if not slash:  # the page asks for its files by relative names
                await RedirectResponse(f"/{first}/", headers=_HEADERS)(scope, receive, send)
                return
            scope = {**scope, "path": f"/{rest}", "root_path": ""}
        await self.app(scope, receive, send)


def page_of(session: Session, token: str, ending: Callable[[], bool]) -> Starlette:
    """The page as an ASGI application, below /TOKEN/. Hosts of other names are refused: they could be rebound to us.

    Args:
      session: answers.
      token: the secret part of the address.
      ending: whether the server is about to end, which open streams must not hold up.
    """
    desk = Desk(session)
    files = {path.name: path.read_bytes() for path in resources.files("sigfft.explorer").joinpath("static").iterdir()}

    async def file(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in files:
            return PlainTextResponse("not found", 404, _HEADERS)
        return Response(files[name], media_type=_KINDS[name.rpartition(".")[2]], headers=_HEADERS)

    async def ask(request: Request) -> Response:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _LARGEST:
                return PlainTextResponse(f"a request has at most {_LARGEST >> 20} MiB", 413, _HEADERS)
        events: asyncio.Queue[Event] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        try:
            asked = json.loads(body)
            if not isinstance(asked, dict):
                raise ValueError(f"expected a JSON object; given {body[:50]!r}")
            job = desk.ask(asked, lambda event: _handed(loop, events.put_nowait, event))
        except ValueError as error:
            return PlainTextResponse(str(error), 400, _HEADERS)
        return StreamingResponse(_lines(job, events, ending), media_type="application/x-ndjson", headers=_HEADERS)

    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"], www_redirect=False)]
    routes = [Route("/ask", ask, methods=["POST"]), Route("/{name}", file), Route("/", file)]
    return Starlette(routes=routes, middleware=[*guards, Middleware(_Secret, token=token)])


def serve(session: Session, port: int = 0, told: Callable[[str], None] = print) -> None:
    """Serve the page until the process is interrupted.

    Args:
      session: what is explored.
      port: on 127.0.0.1; 0: a free one.
      told: takes the page's address once it can be opened.

    Raises:
      OSError: the port is in use.
    """
    token = secrets.token_urlsafe(24)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()
        told(f"http://{HOST}:{listening.getsockname()[1]}/{token}/")
        page = page_of(session, token, lambda: running.should_exit)
        # The address is a secret: no log of requests.
        config = uvicorn.Config(page, log_level="warning", access_log=False, lifespan="off", server_header=False)
        running = uvicorn.Server(config)
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it
            running.run(sockets=[listening])


def _handed(loop: asyncio.AbstractEventLoop, put: Callable[[Event], None], event: Event) -> None:
    if not loop.is_closed():  # or the server has ended before its threads
        loop.call_soon_threadsafe(put, event)


async def _lines(job: Job, events: asyncio.Queue[Event], ending: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Events as lines of JSON; who stops to read them stops the job."""
    following = asyncio.ensure_future(events.get())
    try:
        while not ending():
            await asyncio.wait({following}, timeout=_LOOK)
            if not following.done():
                continue
            event = following.result()
            if event["kind"] == "end":
                return
            yield json.dumps(event).encode() + b"\n"
            following = asyncio.ensure_future(events.get())
    finally:
        following.cancel()
        job.stop()
