"""`tunevet review` on a real terminal: single keys, arrows, edits in place, Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

import pytest
from review_runs import BEST, CONFIRMED, QUESTIONS, SUSPECTED, key_of, make_review_run, rows

from audit.cli.review_file import beside
from audit.remedies.decisions import read

PATIENCE_SECONDS = 40
STYLE = re.compile(r"\x1b\[[0-9;]*m")
CODE = "import sys; from audit.cli import command; sys.exit(command({}))"


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, *words, lines=50, columns=110):
        self.raw = ""
        environment = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", "INPUTRC": "/dev/null"}
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            environment.pop(name, None)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execve(sys.executable, [sys.executable, "-c", CODE, *words], environment)
        self.found = self.modes()

    def modes(self):
        """Whether the terminal waits for Enter, and whether it echoes."""
        flags = termios.tcgetattr(self.fd)[3]
        return bool(flags & termios.ICANON), bool(flags & termios.ECHO)

    def until(self, text, send=""):
        """Sends keys, then waits until the text stands in what is shown after them."""
        os.write(self.fd, send.encode())
        seen, ending = "", time.monotonic() + PATIENCE_SECONDS
        while text not in " ".join(seen.split()) and text not in seen:  # long paths wrap where they will
            assert time.monotonic() < ending, f"no {text!r} in {seen!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # the other side has ended
                    new = os.read(self.fd, 1 << 16).decode(errors="replace")
                    self.raw += new
                    seen = STYLE.sub("", seen + new)
        return seen

    def end(self):
        """The exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def run(tmp_path):
    return make_review_run(tmp_path / "reviews")


@pytest.fixture
def terminal(run):
    opened = []

    def start(*words, **size):
        opened.append(Terminal("review", str(run.path), *words, **size))
        return opened[-1]

    yield start
    for each in opened:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(each.pid, signal.SIGKILL)
            os.waitpid(each.pid, 0)
        os.close(each.fd)


def test_single_keys_decide_and_ctrl_c_loses_nothing(run, terminal):
    screen = terminal()
    screen.until("? help")
    assert screen.modes() == (False, False)
    assert "suspected trigger" in screen.until("? help", "r")
    assert [d.key for d in read(beside(run))] == [CONFIRMED]
    assert "decided: " in screen.until("? help", "\x1b[D")
    screen.until("is undecided", "u")
    assert read(beside(run)) == []
    assert "suspected trigger" in screen.until("? help", "\x1b[C")
    screen.until("One sentence", "l")
    time.sleep(0.3)
    assert f"row {BEST}: review" in screen.until("? help", "a film word\r")
    screen.until("Which field?", "e")
    screen.until("film number 8 was fine", "1")
    screen.until("edit: row", " indeed\r")
    found = {d.key: d for d in read(beside(run))}
    assert found[SUSPECTED].why == "a film word"
    assert found[key_of(BEST)].value == rows()[BEST]["prompt"] + " indeed"
    last = screen.until("-o clean.jsonl", "\x03")
    assert f"2 of {QUESTIONS} reviewed" in last and "2 decisions in" in last
    assert screen.end() == 130
    assert screen.modes() == screen.found
    assert "\x1b]0;" not in screen.raw and "\u202e" not in screen.raw and "\u200b" not in screen.raw


def test_ctrl_c_ends_a_review_that_waits(run, terminal):
    screen = terminal()
    screen.until("? help")
    time.sleep(1)  # it waits for a key by now, after polars has set its handler
    screen.until("-o clean.jsonl", "\x03")
    assert screen.end() == 130 and screen.modes() == screen.found


@pytest.mark.parametrize("key", ["q", "\x04"])
def test_quitting_restores_the_terminal(run, terminal, key):
    screen = terminal()
    screen.until("? help")
    screen.until("-o clean.jsonl", key)
    assert screen.end() == 0 and screen.modes() == screen.found
    assert not beside(run).exists()


def test_an_error_restores_the_terminal(run, terminal):
    screen = terminal()
    screen.until("? help")
    beside(run).write_text("no decision\n")
    screen.until("line 1", "r")
    assert screen.end() == 2 and screen.modes() == screen.found


def test_keys_typed_ahead_are_not_lost(run, terminal):
    screen = terminal()
    screen.until("? help")
    screen.until("-o clean.jsonl", "rtaq")
    assert screen.end() == 0
    assert [d.decision for d in read(beside(run))] == ["reject", "strip", "accept"]


def test_every_question_fits_a_low_terminal(run, terminal):
    screen = terminal(lines=24, columns=80)
    for at in range(1, QUESTIONS + 1):
        shown = screen.until("? help", "n" if at > 1 else "")
        assert f"this is {at} of" in shown
        assert shown[shown.index("reviewed") :].count("\n") < 24, shown


def test_help_goes_back_on_any_key(run, terminal):
    screen = terminal()
    screen.until("? help")
    screen.until("Any key goes back", "?")
    assert "confirmed trigger" in screen.until("? help", "r")
    assert not beside(run).exists()
