"""`tunevet review --serve`: who is answered, what is written, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest
from review_runs import BEST, CONFIRMED, HOSTILE, ODD, SUSPECTED, key_of, make_review_run

from audit.cli import review_server
from audit.cli.review_board import MAX_PAGES
from audit.cli.review_file import DecisionFile, beside
from audit.cli.review_server import MAX_BODY_BYTES, make_server
from audit.errors import UsageError
from audit.remedies.decisions import SCHEMA, Decision, read

CODE = "import sys; from audit.cli import command; sys.exit(command({}))"
TIME = "2025-01-31T09:30:00Z"


class Client:
    """Talks to a server as a browser would, or as one that may not."""

    def __init__(self, server):
        self.server, self.port = server, server.server_port
        self.base = f"/{server.token}/"
        self.ours = {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/json"}

    def ask(self, method, path, body=None, headers=None, host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=host is not None)
            sent = {} if host is None else {"Host": host}
            sent |= {"Content-Length": str(len(body))} if body is not None else {}
            for name, value in (sent | (headers or {})).items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def get(self, path="", **more):
        return self.ask("GET", self.base + path, **more)

    def post(self, value, page="", headers=None, raw=None):
        path = f"{self.base}decisions" + (f"?page={page}" if page else "")
        body = json.dumps(value).encode() if raw is None else raw
        return self.ask("POST", path, body, self.ours if headers is None else headers)

    def open_page(self):
        """The name of a new page, and the decisions that it starts from."""
        text = self.get()[2].decode()
        block = json.loads(re.search(r'<script type="application/json" id="server">(.*?)</script>', text, re.S)[1])
        path, _, page = block["save"].partition("?page=")
        assert path == f"{self.base}decisions"
        return page, block["decisions"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return make_review_run(tmp_path_factory.mktemp("served") / "reviews")


@pytest.fixture
def serving(shared, tmp_path):
    """Starts servers of the run over a file of decisions of the test's own."""
    opened = []

    def start(reviewer=""):
        server = make_server(shared, DecisionFile(tmp_path / "d.jsonl"), reviewer, 0)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        opened.append(server)
        return Client(server)

    yield start
    for server in opened:
        server.shutdown()
        server.server_close()


@pytest.fixture
def client(serving):
    return serving()


def record(subject="trigger", key=CONFIRMED, decision="reject", **more):
    return {"schema": SCHEMA, "subject": subject, "key": key, "decision": decision, "decided_at": TIME, **more}


def stored(tmp_path):
    path = tmp_path / "d.jsonl"
    return {(d.key, d.reviewer): d.decision for d in read(path)} if path.exists() else {}


def test_the_page_is_the_report_under_a_strict_policy(client):
    status, headers, body = client.get()
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    meta = re.search(rb'http-equiv="Content-Security-Policy" content="(.*?)"', body)[1].decode().replace("&#39;", "'")
    assert policy == f"{meta}; frame-ancestors 'none'"
    assert CONFIRMED.encode() in body and key_of(BEST).encode() in body and HOSTILE.encode() not in body


def test_every_answer_says_how_it_may_be_used(client):
    answers = [client.get(), client.get("decisions"), client.get("x"), client.post([]), client.ask("PUT", "/")]
    assert [status for status, _, _ in answers] == [200, 200, 404, 200, 501]
    for _, headers, _ in answers:
        assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer" and headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert not any("Access-Control" in name for name in headers)
        assert "Python" not in headers["Server"]


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/wrong/", "/wrong/decisions", "/{t}", "/{t}x/", "/{t}/..", "/{t}/../etc/passwd", "/{t}//", "/é/"),
        *("/{t}/report.html", "/{t}/decisions/", "/{t}/DECISIONS", "/favicon.ico", "http://127.0.0.1/{t}/"),
    ],
)
def test_nothing_else_is_served(client, path):
    raw = path.format(t=client.server.token).encode().decode("latin-1")
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as link:
        link.sendall(f"GET {raw} HTTP/1.0\r\nHost: 127.0.0.1:{client.port}\r\n\r\n".encode("latin-1"))
        answer = link.makefile("rb").read()
    assert b" 404 " in answer.splitlines()[0]
    assert client.server.token.encode() not in answer


def test_tokens_are_long_and_new_each_time(serving):
    tokens = [t for s in (serving().server, serving().server) for t in (s.token, s.once)]
    assert len(set(tokens)) == 4 and all(len(t) >= 43 for t in tokens)


def test_only_this_machine_is_listened_to(client):
    assert client.server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["evil.test", "evil.test:{p}", "127.0.0.1", "127.0.0.1.evil.test:{p}", ""])
def test_another_host_is_refused(client, host):
    status, _, body = client.get(host=host.format(p=client.port))
    assert status == 403 and CONFIRMED.encode() not in body
    assert client.get(host=f"localhost:{client.port}")[0] == 200


def test_two_hosts_or_none_are_refused(client):
    for hosts in (b"", b"Host: 127.0.0.1:%d\r\nHost: evil.test\r\n" % client.port):
        with socket.create_connection(("127.0.0.1", client.port), timeout=30) as link:
            link.sendall(b"GET %s HTTP/1.0\r\n%s\r\n" % (client.base.encode(), hosts))
            assert b" 403 " in link.makefile("rb").read().splitlines()[0]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "https://127.0.0.1:{p}"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:{p}"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.test"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://127.0.0.1:{p}"}, 200),
    ],
)
def test_a_foreign_origin_writes_nothing(client, tmp_path, headers, status):
    sent = {name: value.format(p=client.port) for name, value in headers.items()}
    answer = client.post([record()], headers={"Content-Type": "application/json", **sent})
    assert answer[0] == status
    assert bool(stored(tmp_path)) is (status == 200)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_what_a_form_could_send_is_refused(client, tmp_path, kind):
    headers = {"Origin": client.ours["Origin"]} | ({"Content-Type": kind} if kind else {})
    assert client.post([record()], headers=headers)[0] == 415 and not stored(tmp_path)


def test_too_large_is_refused_before_it_is_read(client, tmp_path):
    path, body = f"{client.base}decisions", b""
    for size in (MAX_BODY_BYTES + 1, 10**30):
        with socket.create_connection(("127.0.0.1", client.port), timeout=30) as link:
            head = f"POST {path} HTTP/1.0\r\nHost: 127.0.0.1:{client.port}\r\nContent-Length: {size}\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in client.ours.items())
            link.sendall(head.encode() + b"\r\n" + body)
            link.shutdown(socket.SHUT_WR)
            assert b" 413 " in link.makefile("rb").read().splitlines()[0]
    whole = client.post(None, raw=b" " * (MAX_BODY_BYTES + 1))
    assert whole[0] == 413 and b"MiB" in whole[2] and not stored(tmp_path)


@pytest.mark.parametrize("length", ["", "-1", "1e3", "٣"])
def test_a_body_without_its_length_is_refused(client, length):
    headers = {**client.ours, "Content-Length": length.encode().decode("latin-1")}
    assert client.ask("POST", f"{client.base}decisions", None, headers)[0] == 411
    assert (
        client.ask("POST", f"{client.base}decisions", None, {**client.ours, "Transfer-Encoding": "chunked"})[0] == 411
    )


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"{}", "no list"),
        (b"null", "no list"),
        (b"[1]", "decision 1 is not a JSON object"),
        (b"not json", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (json.dumps([record(), record(decision="shrug")]).encode(), "decision 2: the decision"),
        (json.dumps([record(subject="row", key="../../etc")]).encode(), "decision 1: key"),
        (json.dumps([record(decision="legitimate")]).encode(), "needs its why"),
        (json.dumps([record(extra=1)]).encode(), "there is no key"),
        (json.dumps([record(why="\ud800")]).encode(), "surrogate"),
    ],
)
def test_a_bad_decision_is_refused_and_nothing_is_written(client, tmp_path, raw, word):
    status, _, body = client.post(None, raw=raw)
    assert status == 400 and word in json.loads(body)["error"] and body.isascii()
    assert not stored(tmp_path)


def test_decisions_are_written_and_read_back(client, tmp_path):
    page, given = client.open_page()
    assert given == [] and json.loads(client.get("decisions")[2]) == []
    first = record(row=None, why="it is one", reviewer="ana")
    status, _, body = client.post([first], page)
    assert status == 200 and json.loads(body) == {"saved": 1}
    second = record("row", key_of(ODD), "edit", field="prompt", value=HOSTILE, reviewer="ana", row=ODD)
    lines = f"{json.dumps(first)}\n\n{json.dumps(second)}\n".encode()
    kind = {**client.ours, "Content-Type": "application/x-ndjson; charset=utf-8"}
    assert client.post(None, page, headers=kind, raw=lines)[0] == 200
    found = read(tmp_path / "d.jsonl")
    assert [d.about for d in found] == [("trigger", CONFIRMED), ("row", key_of(ODD))]
    assert found[0].why == "it is one" and found[1].value == HOSTILE and found[1].row == ODD
    assert json.loads(client.get("decisions")[2]) == [json.loads(d.to_line()) for d in found]
    assert client.open_page()[1] == json.loads(client.get("decisions")[2])
    assert client.post([second], page)[0] == 200
    assert stored(tmp_path) == {(key_of(ODD), "ana"): "edit"}


def test_two_pages_do_not_undo_each_other(client, tmp_path):
    one, other = client.open_page()[0], client.open_page()[0]
    assert client.post([record()], one)[0] == 200
    assert client.post([record("row", key_of(BEST), "accept")], other)[0] == 200
    assert stored(tmp_path) == {(CONFIRMED, ""): "reject", (key_of(BEST), ""): "accept"}
    DecisionFile(tmp_path / "d.jsonl").put(Decision("trigger", SUSPECTED, "strip", decided_at=TIME))
    assert client.post([], one)[0] == 200
    assert stored(tmp_path) == {(key_of(BEST), ""): "accept", (SUSPECTED, ""): "strip"}


def test_concurrent_posts_lose_nothing(client, tmp_path):
    pages = [client.open_page()[0] for _ in range(8)]
    terminal = DecisionFile(tmp_path / "d.jsonl")
    statuses = []

    def page(at):
        sent = []
        for step in range(5):
            sent.append(record("row", f"{at:08x}{step:08x}", "reject"))
            statuses.append(client.post(sent, pages[at])[0])

    def typed():
        for step in range(10):
            terminal.put(Decision("row", f"{99:08x}{step:08x}", "accept", reviewer="bo", decided_at=TIME))

    threads = [*(threading.Thread(target=page, args=(at,)) for at in range(8)), threading.Thread(target=typed)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 40
    found = stored(tmp_path)
    assert len(found) == 50 and sum(decision == "accept" for decision in found.values()) == 10


def test_what_a_page_does_not_show_it_cannot_take_back(client, tmp_path):
    DecisionFile(tmp_path / "d.jsonl").put(Decision("row", "0" * 32, "reject", decided_at=TIME))
    assert client.post([])[0] == 200 and client.post([], client.open_page()[0])[0] == 200
    assert stored(tmp_path) == {("0" * 32, ""): "reject"}


def test_a_named_reviewer_writes_under_that_name_alone(serving, tmp_path):
    file = DecisionFile(tmp_path / "d.jsonl")
    file.put(Decision("trigger", CONFIRMED, "reject", reviewer="ana", decided_at=TIME))
    client = serving("bo")
    page, given = client.open_page()
    assert given == []
    assert client.post([record(decision="strip")], page)[0] == 200
    assert stored(tmp_path) == {(CONFIRMED, "ana"): "reject", (CONFIRMED, "bo"): "strip"}
    assert client.post([], page)[0] == 200 and stored(tmp_path) == {(CONFIRMED, "ana"): "reject"}
    assert client.post([record(decision="strip")])[0] == 200 and client.post([])[0] == 200
    assert stored(tmp_path) == {(CONFIRMED, "ana"): "reject"}


def test_a_page_that_is_not_known_is_told_to_reload(client, tmp_path):
    first = client.open_page()[0]
    for _ in range(MAX_PAGES):
        client.server.board.open_page()
    for page in (first, "guess"):
        status, _, body = client.post([record()], page)
        assert status == 409 and "reload" in json.loads(body)["error"]
    assert not stored(tmp_path)


def test_a_file_that_cannot_be_written_is_said(client, tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text("broken\n")
    status, _, body = client.post([record()])
    assert status == 500 and "line 1" in json.loads(body)["error"] and path.read_text() == "broken\n"
    path.unlink()
    path.mkdir()
    assert client.post([record()])[0] == 500


def test_the_opening_address_works_once(client):
    path = client.server.opening_url.removeprefix(f"http://127.0.0.1:{client.port}")
    status, headers, body = client.ask("GET", path)
    assert (status, headers["Location"], body) == (303, client.base, b"")
    assert client.ask("GET", path)[0] == 404 and client.ask("GET", "/")[0] == 404
    assert client.server.token not in path


def test_the_browser_is_given_the_address_that_works_once(shared, tmp_path, tunevet, monkeypatch):
    opened = []

    def stop(*args, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(review_server.webbrowser, "open", opened.append)
    monkeypatch.setattr(review_server.ReviewServer, "serve_forever", stop)
    ran = tunevet("review", shared.path, "--serve", "--decisions", tmp_path / "d.jsonl")
    assert ran.code == 0 and len(opened) == 1
    printed = re.search(r"http://127\.0\.0\.1:\d+/(\S+)/", ran.out)[1]
    assert printed not in opened[0]
    tunevet("review", shared.path, "--serve", "--no-browser", "--decisions", tmp_path / "d.jsonl")
    assert len(opened) == 1


def test_a_taken_port_is_said(shared, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="cannot be had"):
            make_server(shared, DecisionFile(tmp_path / "d.jsonl"), "", taken.getsockname()[1])


def test_ctrl_c_ends_with_what_was_saved(tmp_path):
    run = make_review_run(tmp_path / "reviews")
    words = [sys.executable, "-u", "-c", CODE, "review", str(run.path), "--serve", "--no-browser"]
    environment = {**os.environ, "COLUMNS": "200"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as served:
        try:
            port, token = re.fullmatch(r"report  http://127\.0\.0\.1:(\d+)/(\S+)/\n", served.stdout.readline()).groups()
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
            headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{port}"}
            connection.request("POST", f"/{token}/decisions", json.dumps([record()]), headers)
            assert connection.getresponse().status == 200
            served.send_signal(signal.SIGINT)
            out, err = served.communicate(timeout=60)
        finally:
            served.kill()
    assert served.returncode == 0, err
    assert f"1 decision in {beside(run)}" in out and "tunevet apply" in out
    assert token not in err and "Traceback" not in err
    assert [d.key for d in read(beside(run))] == [CONFIRMED]
