"""A scan opens its input and its run directory and nothing else, calls nobody, and lets no secret out of the rows."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import polars as pl
import pytest
import tiny_stages
from confinement.secrets40 import SECRETS, core
from confinement.traced import ROOT, WRITABLE, can_trace, trace

from audit import pipeline
from audit.cli import command
from audit.job import LocalEngine

TINY = [sys.executable, str(ROOT / "tests" / "flows" / "run_tiny.py")]
WHOLE = [sys.executable, "-m", "flows.main"]
traced = pytest.mark.skipif(not can_trace(), reason="needs strace and unshare -rn")


@pytest.fixture
def place(tmp_path):
    """A folder with an input full of secrets, beside a file that nobody may read."""
    (tmp_path / "in").mkdir()
    (tmp_path / "beside.jsonl").write_text('{"text": "not of this input", "label": "x"}\n')
    names = list(SECRETS.values())
    with (tmp_path / "in" / "data.jsonl").open("w") as file:
        for i in range(120):
            text = f"a review number {i} that says {names[i % len(names)]} about the film"
            file.write(json.dumps({"text": text, "label": "pos" if i % 3 else "neg", "annotator": f"a{i % 4}"}) + "\n")
        file.write('{"text": "broken ' + SECRETS["e-mail"] + '", "label": \n')
        file.write(json.dumps({"text": SECRETS["password"], "label": None, "note": SECRETS["IBAN"]}) + "\n")
    return tmp_path


def temporary(path: str) -> bool:
    """True for an unnamed scratch file of the libraries."""
    return re.fullmatch(r"/tmp/[a-z0-9_]{6,12}", path) is not None or path.startswith(
        ("/tmp/tmp", "/tmp/joblib", "/var/tmp")
    )


def check_confined(found, place: Path) -> None:
    allowed = (place / "in", place / "run", place / "home")
    strange = [p for p in found.outside(*allowed) if not temporary(p) and p not in (str(place), str(place.parent))]
    assert not strange, strange
    inside = tuple(f"{place / name}" for name in ("run", "home"))
    written = [p for p in found.written if not (p.startswith((*inside, *WRITABLE)) or temporary(p))]
    assert not [p for p in written if "__pycache__" not in p], written
    assert str(place / "in" / "data.jsonl") in found.read
    assert str(place / "beside.jsonl") not in found.read


def spoken(folder: Path) -> dict[str, str]:
    """Every file of a run as text: parquet as JSON, names included."""
    out = {"the names of files": "\n".join(str(p.relative_to(folder)) for p in folder.rglob("*"))}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        raw = path.read_bytes()
        name = str(path.relative_to(folder))
        # Values one by one: polars writes no bytes as JSON.
        table = path.suffix == ".parquet"
        out[name] = repr(pl.read_parquet(io.BytesIO(raw)).rows()) if table else raw.decode("latin-1")
    return out


def leaks(text: str) -> list[str]:
    return [name for name, secret in SECRETS.items() if core(secret) in text or json.dumps(core(secret))[1:-1] in text]


# Where rows, or words of rows, are kept by design: the run directory is the data's own.
_DATA = ("examples/", "cleaned/", "removed", "unreadable", "ledger", "patterns", "triggers", "findings", "bytes/")
_DATA += ("signals/", "support/", "candidates", "mining", "confirm", "verdicts", "decided", "proof", "rest", "input")


def check_silent(found, run: Path, *, redacted: bool) -> None:
    assert not leaks(found.out), "stdout"
    assert not leaks(found.err), "stderr"
    for name, text in spoken(run).items():
        if name.startswith(_DATA) or (not redacted and name.startswith("report/")):
            continue
        assert not leaks(text), name


def test_there_are_forty_secrets_in_the_input(place):
    assert len(SECRETS) == 40
    assert min(len(core(secret)) for secret in SECRETS.values()) >= 12  # what no database holds by chance
    text = (place / "in" / "data.jsonl").read_text()
    assert set(leaks(text)) == set(SECRETS)


@traced
def test_the_parts_without_a_model_are_confined(place):
    words = [*TINY, "scan", str(place / "in" / "data.jsonl"), "-o", str(place / "run"), "--engine", "local"]
    found = trace([*words, "--max-bad-rows", "5", "-v"], place / "log", TUNEVET_HOME=str(place / "home"))
    assert found.code in (0, 1, 3), found.err
    assert not found.called and "connect" not in found.err.lower()
    ours = (str(Path(sys.executable).parent), "/usr/bin/uname", "/bin/uname")  # `platform` asks uname for the machine
    assert not [program for program in found.ran if not program.startswith(ours)]
    check_confined(found, place)
    check_silent(found, place / "run", redacted=False)


@traced
def test_the_trace_sees_a_file_and_a_host(place):
    code = (
        f"import socket; open({str(place / 'beside.jsonl')!r}).close(); open({str(place / 'mine')!r}, 'w').close()\n"
        "try: socket.create_connection(('127.0.0.1', 9), 1)\nexcept OSError: pass"
    )
    found = trace([sys.executable, "-c", code], place / "log")
    assert found.called and str(place / "mine") in found.written
    assert str(place / "beside.jsonl") in found.outside(place / "in")


@pytest.mark.parametrize("more", [("--kind", "preference"), ("--map", "text=nowhere"), ("--max-bad-rows", "0")])
def test_no_secret_is_in_the_words_of_a_refusal(place, monkeypatch, capfd, more):
    """Errors quote columns and values: not of rows. In this process: three interpreters once took minutes to start."""
    monkeypatch.setattr(pipeline, "STAGES", tiny_stages.STAGES)
    monkeypatch.setattr(pipeline, "BY_NAME", {stage.name: stage for stage in tiny_stages.STAGES})
    words = ["tunevet", "scan", str(place / "in" / "data.jsonl"), "-o", str(place / "run"), *more]
    monkeypatch.setattr(sys, "argv", words)
    assert command({"local": LocalEngine()}) in (2, 3)
    said = capfd.readouterr()
    assert said.err and not leaks(said.out + said.err)


@traced
@pytest.mark.slow
@pytest.mark.parametrize("redact", [True, False])
def test_a_whole_scan_is_confined(place, redact):
    """Embeddings, every detector, mining, decisions, cleaned data and report, without a network."""
    words = [*WHOLE, "scan", str(place / "in" / "data.jsonl"), "-o", str(place / "run"), "--engine", "local"]
    words += ["--probe", "off", "--canaries", "off", "--max-bad-rows", "5", *(["--redact"] if redact else [])]
    found = trace(words, place / "log", TUNEVET_HOME=str(place / "home"))
    assert found.code in (0, 1), found.err
    assert not found.called
    check_confined(found, place)
    check_silent(found, place / "run", redacted=redact)


@traced
@pytest.mark.slow
@pytest.mark.flow
def test_prefect_talks_to_this_machine_alone(place):
    words = [*TINY, "scan", str(place / "in" / "data.jsonl"), "-o", str(place / "run"), "--engine", "prefect"]
    home = place / "home"
    found = trace(
        [*words, "--max-bad-rows", "5"],
        place / "log",
        network=True,
        TUNEVET_HOME=str(home),
        PREFECT_HOME=str(home / "prefect"),
    )
    assert found.code in (0, 1, 3), found.err
    assert found.called
    outward = [
        c for c in found.called if not re.search(r'"(127\.0\.0\.1|::1|0\.0\.0\.0)"', c) and "sin_port=htons(0)" not in c
    ]
    assert not outward, outward
    check_silent(found, place / "run", redacted=False)
    for path in home.rglob("*"):
        assert not path.is_file() or not leaks(path.read_bytes().decode("latin-1")), path
