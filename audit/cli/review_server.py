"""`tunevet review RUN --serve`: the report on 127.0.0.1, with decisions written as they are made.

Who may use it: whoever knows the address, which holds 256 random bits. The browser is opened at another random address
that leads to it and works once, since other users of a machine can read the arguments of its programs. A page of
another site cannot use it: the host must be this machine's by name (so that no foreign name can be pointed here), a
request that writes must come from the page itself, and its type is one that no form can send. Nothing is read from
disk for a request but the decisions; the report is held in memory, and there is no other file to ask for.
"""

from __future__ import annotations

import hmac
import json
import secrets
import webbrowser
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl

from audit import config as configuration
from audit.cli.review_board import Board, Refused, parse
from audit.cli.review_file import DecisionFile, Key
from audit.cli.streams import Streams
from audit.cli.words import plain
from audit.errors import InputError, TunevetError, UsageError
from audit.report import collect, html
from audit.rundir import Context, RunDir
from audit.schema import NoProgress, Status
from audit.text import safe_text

HOST = "127.0.0.1"
MAX_BODY_BYTES = 16 << 20
_TIMEOUT_SECONDS = 30.0
_DRAINED_BYTES = 4 * MAX_BODY_BYTES
_JSON, _LINES = "application/json", "application/x-ndjson"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NOTHING_ALLOWED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
Render = Callable[[str, list[dict[str, Any]]], bytes]


class ReviewServer(ThreadingHTTPServer):
    """Serves one report at http://127.0.0.1:PORT/TOKEN/."""

    daemon_threads = True

    def __init__(self, port: int, board: Board, render: Render) -> None:
        self.board, self.render = board, render
        self.token, self.once = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        """Binds without asking a name server who we are."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke off is no news."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    @property
    def opening_url(self) -> str:
        """Leads to `url`, once."""
        return f"http://{HOST}:{self.server_port}/{self.once}"

    def spend_once(self, path: str) -> bool:
        """True for the path of `opening_url`, the first time that it is asked for."""
        with self.board.lock:
            right = bool(self.once) and _equal(path, f"/{self.once}")
            self.once = "" if right else self.once
            return right

    @property
    def hosts(self) -> frozenset[str]:
        """The values of the Host header that are ours."""
        return frozenset(f"{name}:{self.server_port}" for name in (HOST, "localhost"))


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    timeout = _TIMEOUT_SECONDS
    server_version, sys_version = "tunevet", ""

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: their paths hold the token."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A request that is no HTTP, or of a method that there is not."""
        self._refuse(HTTPStatus(code), "This request is not understood.")

    def _answer(self, respond: Callable[[], None]) -> None:
        try:
            self._check_host()
            respond()
        except Refused as refused:
            self._refuse(refused.status, str(refused))
        except TunevetError as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    def _get(self) -> None:
        path, _, _ = self.path.partition("?")
        if self.server.spend_once(path):
            self._send(HTTPStatus.SEE_OTHER, b"", "text/plain; charset=utf-8", location=f"/{self.server.token}/")
            return
        place = self._place(path)
        if place == "":
            page, state = self.server.board.open_page()
            save = f"/{self.server.token}/decisions?page={page}"
            body = self.server.render(save, [json.loads(d.to_line()) for d in state.values()])
            policy = f"{html.policy(save=True)}; frame-ancestors 'none'"
            self._send(HTTPStatus.OK, body, "text/html; charset=utf-8", policy)
        elif place == "decisions":
            self._object(HTTPStatus.OK, [json.loads(d.to_line()) for d in self.server.board.state().values()])
        else:
            raise Refused(HTTPStatus.NOT_FOUND, "There is nothing here.")

    def _post(self) -> None:
        path, _, query = self.path.partition("?")
        if self._place(path) != "decisions":
            raise Refused(HTTPStatus.NOT_FOUND, "There is nothing here.")
        self._check_origin()
        kind = self.headers.get_content_type()
        if kind not in (_JSON, _LINES):
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send decisions as {_JSON} or {_LINES}.")
        try:
            sent = parse(self._body(), lines=kind == _LINES)
        except InputError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
        count = self.server.board.save(sent, dict(parse_qsl(query)).get("page", ""))
        self._object(HTTPStatus.OK, {"saved": count})

    def _place(self, path: str) -> str:
        """What stands after the token. Raises Refused for another token."""
        first, _, place = path.removeprefix("/").partition("/")
        if not _equal(first, self.server.token) or path == f"/{first}":
            raise Refused(HTTPStatus.NOT_FOUND, "There is nothing here.")
        return place

    def _check_host(self) -> None:
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            raise Refused(HTTPStatus.FORBIDDEN, f"The report is served at {HOST}:{self.server.server_port} alone.")

    def _check_origin(self) -> None:
        """A browser says where a request comes from in one header or both; one that says neither is none of ours.
        A page without referrer may name its origin null; then the other header has to speak for it."""
        site, origins = self.headers.get("Sec-Fetch-Site"), self.headers.get_all("Origin", [])
        ours = [[f"http://{host}"] for host in self.server.hosts] + [[]] * (site is not None)
        ours += [["null"]] * (site == "same-origin")
        if site not in (None, "same-origin") or origins not in ours:
            raise Refused(HTTPStatus.FORBIDDEN, "Decisions are taken from the report's own page alone.")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") or not (length.isascii() and length.isdigit()):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "Say how long the body is.")
        if int(length[:20]) > MAX_BODY_BYTES:
            self._drain(int(length[:20]))
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"More than {MAX_BODY_BYTES >> 20} MiB of decisions are not read."
            )
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise Refused(HTTPStatus.BAD_REQUEST, "The body broke off.")
        return body

    def _drain(self, length: int) -> None:
        """Reads a body past, up to a bound: a browser that is still sending would not read the answer."""
        left = min(length, _DRAINED_BYTES)
        while left > 0 and (read := len(self.rfile.read(min(left, 1 << 16)))):
            left -= read

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        self.close_connection = True
        self._object(status, {"error": safe_text(sentence, 400)})

    def _object(self, status: HTTPStatus, value: Any) -> None:
        self._send(status, json.dumps(value, ensure_ascii=True).encode("ascii"), _JSON)

    def _send(
        self, status: HTTPStatus, body: bytes, kind: str, policy: str = _NOTHING_ALLOWED, location: str = ""
    ) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Content-Security-Policy": policy}
        for name, value in {**headers, **_HEADERS, **({"Location": location} if location else {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _equal(given: str, secret: str) -> bool:
    """Compares in a time that says nothing of where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())


def make_server(run: RunDir, file: DecisionFile, reviewer: str, port: int) -> ReviewServer:
    """A server that is bound and not yet started. Raises InputError for what is no finished run, UsageError for a
    port that cannot be had."""
    report = collect(Context(run, configuration.load(run.config), NoProgress()))
    asked: set[Key] = {("row", card.content_hash) for card in report.rows}
    asked |= {("trigger", card.id) for card in report.triggers if card.status != Status.REFUTED}
    board = Board(file, reviewer, frozenset(asked))
    try:
        return ReviewServer(port, board, lambda save, state: html.render(report, save=save, decisions=state))
    except OSError as error:
        raise UsageError(f"port {port} cannot be had: {error.strerror}; name another with --port") from error


def serve(streams: Streams, run: RunDir, file: DecisionFile, reviewer: str, port: int, browser: bool) -> None:
    """Serves until Ctrl-C. Raises what `make_server` raises."""
    streams.err.print("Building the report ...")
    with make_server(run, file, reviewer, port) as server:
        if not browser:
            server.once = ""
        streams.out.print(plain(f"report  {server.url}"), soft_wrap=True)
        streams.err.print(plain(f"Decisions go to {file.path}. Ctrl-C ends."), soft_wrap=True)
        try:
            if browser:
                webbrowser.open(server.opening_url)
            server.serve_forever()
        except KeyboardInterrupt:
            streams.out.print()
        with server.board.lock:  # what is being written is written to its end
            server.board.pages.clear()
