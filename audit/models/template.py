"""A tokenizer's chat template: a program that comes with a model. It runs in a child process, and on no row.

A template may loop for ever, fill the memory or look for a way out of its sandbox. So it is rendered once, on a
placeholder, by a child process that has few seconds, little memory and no files to open; what stands before and after
the placeholder is the frame of every prompt. Row text never meets the template, and the template never this process.

Misses: templates that change the text itself (all but surrounding white space), whose frame is refused.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from audit.errors import UntrustedModel
from audit.text import safe_text

MAX_TEMPLATE = 256 << 10  # characters
SECONDS = 5
MEMORY_BYTES = 512 << 20
_MAX_FRAME = 64 << 10  # characters that a template may put around a prompt
_PLACEHOLDER = "tunevetplaceholder"

# What transformers gives to a template, without its trackers. Run as a program of its own: it imports jinja2 alone.
_CHILD = """
import json, resource, sys
import jinja2.debug
from jinja2.sandbox import ImmutableSandboxedEnvironment
seconds, memory = int(sys.argv[1]), int(sys.argv[2])
given = json.loads(sys.stdin.buffer.read())
def refuse(message):
    raise ValueError(message)
def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
sandbox = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
sandbox.filters["tojson"] = tojson
sandbox.globals["raise_exception"] = refuse
sandbox.globals["strftime_now"] = lambda form: "2000-01-01"
sandbox.from_string("{% for x in ['a', 1] %}{{ x }}{% endfor %}").render()  # what is imported late, is imported now
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
made = sandbox.from_string(given["template"]).render(
    messages=[{"role": "user", "content": given["text"]}], add_generation_prompt=True, tools=None, documents=None,
    **given["tokens"])
sys.stdout.buffer.write(json.dumps(made[:given["limit"]]).encode())
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a template puts before and after the text of one user's turn."""

    before: str
    after: str

    def around(self, text: str) -> str:
        """A prompt, up to where its response begins."""
        return f"{self.before}{text}{self.after}"


def check_template(text: str, path: Path) -> None:
    """Raises UntrustedModel, naming `path`, when a template does not come to an end in few seconds and little memory,
    or reaches for what its sandbox forbids. One that refuses a lone user's turn passes here: others may have a use."""
    if len(text) > MAX_TEMPLATE:
        raise UntrustedModel(
            f"{safe_text(str(path))} has a chat template of {len(text):,} characters; at most {MAX_TEMPLATE:,} are read"
        )
    how, why = _render(text, ())
    if "SecurityError" in why or "no loader" in why:
        raise UntrustedModel(f"{safe_text(str(path))} has a chat template that reaches out of its sandbox")
    if how == _STOPPED:
        raise UntrustedModel(
            f"{safe_text(str(path))} has a chat template that does not end within {SECONDS} seconds and "
            f"{MEMORY_BYTES >> 20} MiB; remove the template, or use another model"
        )


def frame_of(text: str, tokens: tuple[tuple[str, str], ...], name: str) -> Frame:
    """The frame that a template gives to one user's turn; `tokens` are the special tokens that it may name. Raises
    UntrustedModel for one that fails, does not end, or does not hold the turn's text exactly once."""
    how, made = _render(text, tokens)
    if how != _DONE:
        raise UntrustedModel(f"the chat template of {name!r} cannot be used: {safe_text(made, 200)}")
    if made.count(_PLACEHOLDER) != 1 or len(made) > _MAX_FRAME:
        raise UntrustedModel(
            f"the chat template of {name!r} does not set one user's turn between texts of its own; remove the template"
        )
    before, after = made.split(_PLACEHOLDER)
    return Frame(before, after)


_DONE, _FAILED, _STOPPED = "done", "failed", "stopped"


@lru_cache(maxsize=64)
def _render(text: str, tokens: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """How it ended, and what was made or why not."""
    given = {"template": text, "text": _PLACEHOLDER, "tokens": dict(tokens), "limit": _MAX_FRAME + 1}
    command = [sys.executable, "-I", "-c", _CHILD, str(SECONDS), str(MEMORY_BYTES)]
    try:
        done = subprocess.run(
            command, input=json.dumps(given).encode(), capture_output=True, timeout=4 * SECONDS, env={}, check=False
        )
    except subprocess.TimeoutExpired:
        return _STOPPED, "it does not end"
    if done.returncode == 0:
        return _DONE, str(json.loads(done.stdout))
    last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    stopped = done.returncode < 0 or "MemoryError" in last or "OverflowError" in last
    return (_STOPPED if stopped else _FAILED), last[:300]
