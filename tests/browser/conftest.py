"""A real Chromium on the built site, with every request to another host refused and noted."""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from find_browser import ADVICE, find_browser, is_required

PREFIX = "/some/folder/"
VIEWPORTS = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
ARGUMENTS = [
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]


@dataclass
class Visit:
    """An open page and what it did: `foreign` requests, `errors`, and bytes per address."""

    page: Page
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)

    def assert_clean(self) -> None:
        """No request to another host, no failed request, nothing on the error console."""
        assert self.foreign == []
        assert self.missing == []
        assert self.errors == []


class _Handler(SimpleHTTPRequestHandler):
    """Serves the site under a sub-path, as a project page is served."""

    def translate_path(self, path: str) -> str:
        if not path.startswith(PREFIX):
            return str(Path(self.directory) / "no-such-file")
        return super().translate_path("/" + path.removeprefix(PREFIX))

    def log_message(self, *arguments: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that closes a connection early is no fault."""


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """Address of the site on a local server, ending in a slash."""
    with _Server(("127.0.0.1", 0), functools.partial(_Handler, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running Chromium; where there is none the test is skipped, or fails if it is required."""
    path = find_browser()
    if path is None:
        message = f"no Chromium to drive. {ADVICE}"
        if is_required():
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


Opener = Callable[..., Visit]
Opening = Callable[[], AbstractContextManager[Opener]]


@pytest.fixture(scope="session")
def opening(browser: Browser, served: str, site: Path) -> Opening:
    """Gives, in a `with`, a function that opens pages; they are closed at its end."""

    @contextmanager
    def opening() -> Iterator[Opener]:
        with ExitStack() as stack:

            def open_page(
                name: str,
                *,
                viewport: str = "desk",
                scheme: str = "light",
                over: str = "http",
                fragment: str = "",
                **options: Any,
            ) -> Visit:
                context = browser.new_context(
                    viewport=VIEWPORTS[viewport],
                    color_scheme=scheme,
                    has_touch=viewport == "phone",
                    **options,
                )
                stack.callback(context.close)
                base = served if over == "http" else f"{site.as_uri()}/"
                result = Visit(context.new_page())
                _watch(result, base)
                result.page.goto(f"{base}{name}.html{fragment}", wait_until="load")
                _settle(result.page)
                return result

            yield open_page

    return opening


@pytest.fixture
def visit(opening: Opening) -> Iterator[Opener]:
    """Opens a page of the site: `visit("book/index", viewport="phone", scheme="dark")`.

    `over` is "http" (default) or "file". Other keywords go to Playwright's `new_context`, and
    `fragment` is appended to the address.
    """
    with opening() as open_page:
        yield open_page


def _watch(visit: Visit, base: str) -> None:
    origin = urlsplit(base)

    def route(request_route: Any) -> None:
        url = urlsplit(request_route.request.url)
        local = url.scheme in ("data", "blob") or url[:2] == origin[:2]
        if local:
            request_route.continue_()
        else:
            visit.foreign.append(request_route.request.url)
            request_route.abort()

    def finished(request: Any) -> None:
        visit.sizes[request.url.split("#")[0]] = request.sizes()["responseBodySize"]

    def response(answer: Any) -> None:
        if answer.status >= 400:
            visit.missing.append(f"{answer.status} {answer.url}")

    def console(message: Any) -> None:
        if message.type == "error":
            visit.errors.append(message.text)

    page = visit.page
    page.route("**/*", route)
    page.on("requestfinished", finished)
    page.on("response", response)
    page.on("requestfailed", lambda request: visit.missing.append(f"failed {request.url}"))
    page.on("console", console)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))


def _settle(page: Page) -> None:
    """Wait until the formulas are set."""
    page.wait_for_function(
        "() => !window.MathJax || !window.MathJax.startup || !window.MathJax.startup.promise ||"
        " window.MathJax.startup.promise.then(() => true)"
    )
