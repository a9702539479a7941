from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import attested
import tampering
from tampering import Keys

from audit.cli import command
from audit.job import LocalEngine


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline of ingest, tiny verdicts, clean and provenance in the place of the real one."""
    attested.install(monkeypatch)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published folder, to be copied and tampered with."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        attested.install(patch)
        run = attested.scanned(folder)
    return attested.published(run, folder / "pub")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return tampering.keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "pub", symlinks=True))


@pytest.fixture
def tunevet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tunevet", *map(str, words)])
        code = command({"local": LocalEngine()})
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The project's figure: how many cases of tampering were caught."""
    ran = {
        outcome: sum("test_tampering_is_caught_and_named[" in r.nodeid for r in terminalreporter.getreports(outcome))
        for outcome in ("passed", "failed")
    }
    if any(ran.values()):
        terminalreporter.write_line(f"tamper cases: {ran['passed']} of {sum(ran.values())} caught")
