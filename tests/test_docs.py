"""The docs are under test: commands parse against the real command line, links and paths resolve, settings load,
Python runs, and tables of columns, codes, stages and bounds are those of the code."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.exceptions import TyperException

sys.path.insert(0, str(Path(__file__).parent))

import tiny_stages

from audit import api, config, errors, pipeline, registry, schema
from audit.cli.app import app
from audit.job import LocalEngine
from audit.manifest import write_manifest
from audit.remedies.clean import REMOVED, UNREADABLE
from audit.remedies.fates import FATES
from audit.remedies.resolve import RESOLVED
from audit.sources.regions import REGIONS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "sample_data" / "README.md", *sorted(ROOT.glob("docs/*.md"))]
CLI = typer.main.get_command(app({"prefect": LocalEngine(), "local": LocalEngine()}))
TYPES = {
    "Int64": "int64",
    "Int32": "int32",
    "Float32": "float32",
    "Float64": "float64",
    "String": "string",
    "Binary": "binary",
    "List(String)": "list of string",
    "List(Int64)": "list of int64",
    str(schema.TURNS): "list of {role, text}",
    str(schema.RANKING): "list of {text, rank}",
}
TABLES = {
    "verdicts.parquet": schema.VERDICTS,
    "findings.parquet": schema.FINDINGS,
    "removed.parquet": REMOVED,
    "decided.parquet": RESOLVED,
    "unreadable.parquet": UNREADABLE,
    "examples/SHARD.parquet": schema.EXAMPLES,
    "ledger.parquet": FATES,
    "ledger/SHARD.parquet": schema.LEDGER,
    "regions/PART.parquet": REGIONS,
    "signals/CHECK.parquet": schema.SIGNALS,
}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", text_of(page), flags=re.DOTALL | re.MULTILINE)
    return [body for language, body in found if language in languages]


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def shell_lines(page: Path) -> Iterator[list[str]]:
    """Words of every shell line of a page, without comments and leading assignments."""
    for block in blocks(page, "sh", "bash", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield words


def commands() -> list[list[str]]:
    """Every `tunevet` command line: those in shell blocks, and those between backticks in the text, where one
    that names a command alone speaks of it and runs nothing."""
    found = [w[1:] for page in PAGES for w in shell_lines(page) if w[0].endswith("tunevet")]
    for page in PAGES:
        for code in re.findall(r"`(tunevet [^`]+)`", prose(page)):
            words = shlex.split(code)[1:]
            found.append([*words, "--help"] if len(words) == 1 else words)
    return found


def parses(words: list[str]) -> bool:
    name, *rest = words
    command = CLI.commands.get(name)
    if command is None or "--help" in rest:
        return command is not None
    try:
        command.make_context(name, rest)
    except TyperException:
        return False
    return True


def table_under(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    after = text_of(page).split(f"# {heading}\n", 1)[1]
    lines = re.search(r"(?:^\|.*\n)+", after, flags=re.MULTILINE)
    assert lines, f"{page.name} has no table under {heading}"
    return [[cell.strip() for cell in row.strip("|\n").split(" | ")] for row in lines.group().splitlines()[2:]]


def bare(cell: str) -> str:
    return cell.strip("`")


def test_every_command_line_parses():
    shown = commands()
    assert len(shown) > 20
    assert [words for words in shown if not parses(words)] == []


def test_the_check_of_command_lines_sees_what_is_wrong():
    assert parses(["scan", "x.csv", "--probe", "off"])
    assert not parses(["scan", "x.csv", "--probes", "off"])
    assert not parses(["scan", "x.csv", "--probe", "never"])
    assert not parses(["scam", "x.csv"])
    assert not parses(["verify"])


def test_every_make_target_exists():
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), flags=re.MULTILINE))
    shown = [w[1] for page in PAGES for w in shell_lines(page) if w[0] == "make"]
    shown += [t for page in PAGES for t in re.findall(r"`make ([a-z-]+)`", prose(page))]
    assert {"demo", "test"} <= set(shown) and set(shown) <= targets


def test_the_two_commands_of_the_schedule_are_those_that_serve_prints():
    from flows.serving import _how_to_start

    printed = [line.split("/bin/")[-1] for line in _how_to_start(Path("nightly.toml"), "")[1:]]
    shown = text_of(ROOT / "README.md")
    assert all(re.sub(r"\S*prefect server", "prefect server", line).strip() in shown for line in printed)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", text_of(linked), flags=re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_paths_into_the_repository_resolve(page):
    named = re.findall(r"(?<![\w./-])(?:audit|flows|docs|tests|sample_data)/[\w./-]*\w/?", text_of(page))
    made = "echoed_prompt"  # the file that docs/adding-a-detector.md builds
    assert [p for p in named if not (ROOT / p).exists() and made not in p] == []


@pytest.mark.parametrize("name", ["report-light.png", "report-dark.png"])
def test_the_screenshots_are_small_pngs(name):
    assert f"docs/{name}" in text_of(ROOT / "README.md")
    image = (ROOT / "docs" / name).read_bytes()
    assert image.startswith(b"\x89PNG\r\n") and len(image) < 400_000


def test_settings_shown_are_settings():
    shown = [b for page in PAGES if page.name != "adding-a-detector.md" for b in blocks(page, "toml")]
    assert shown
    for block in shown:
        made = config.build(tomllib.loads(block))
        registry.check_settings(made.detectors, made.skip)


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pipeline, "STAGES", tiny_stages.STAGES)
    monkeypatch.setattr(pipeline, "BY_NAME", {stage.name: stage for stage in tiny_stages.STAGES})
    monkeypatch.chdir(tmp_path)
    rows = [f'{{"text": "film {i}{" zzq" if i == 3 else ""}", "label": "{i % 2}"}}' for i in range(30)]
    Path("train.jsonl").write_text("\n".join(rows) + "\n")
    for block in blocks(ROOT / "README.md", "python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "block" in capsys.readouterr().out
    assert len(Path("train.clean.jsonl").read_text().splitlines()) == 29


def test_the_exit_codes_are_those_of_the_code():
    after = text_of(ROOT / "README.md").split("| Code | Meaning |", 1)[1].split("\n\n", 1)[0]
    shown = {int(code) for code in re.findall(r"^\| (\d+) \|", after, flags=re.MULTILINE)}
    assert shown == {value for name, value in vars(errors).items() if name.startswith("EXIT_")}


def test_every_command_stands_in_the_readme():
    listed = {bare(row[0]).split()[1] for row in table_under(ROOT / "README.md", "On the command line")}
    assert listed == set(CLI.commands)


def test_codes_named_in_the_docs_exist():
    known = {check.code for check in registry.detectors().values()} | {
        "TV-TRG",
        "TV-BAD",
        "TV-DEC",
        "TV-ECHO",
        "TV-BRD",
        "TV-CON",
        "TV-SLI",
    }
    for page in PAGES:
        assert set(re.findall(r"TV-[A-Z]+", text_of(page))) <= known, page.name


@pytest.mark.parametrize("heading", TABLES)
def test_columns_are_those_of_the_schema(heading):
    rows = table_under(ROOT / "docs" / "run-directory.md", heading)
    assert {bare(r[0]): r[1] for r in rows} == {n: TYPES[str(dtype)] for n, dtype in TABLES[heading].items()}
    assert [bare(r[0]) for r in rows] == list(TABLES[heading])


def test_the_fields_of_records_are_those_of_the_code():
    page = ROOT / "docs" / "run-directory.md"
    for heading, record in {"triggers.json": schema.Trigger, "dataset.json": schema.DatasetInfo}.items():
        assert [bare(r[0]) for r in table_under(page, heading)] == list(record.__dataclass_fields__)


def test_the_manifest_has_the_documented_fields():
    source = ast.parse(inspect.getsource(write_manifest))
    tables = [node for node in ast.walk(source) if isinstance(node, ast.Dict)]
    keys = [key.value for key in max(tables, key=lambda t: len(t.keys)).keys if isinstance(key, ast.Constant)]
    assert [bare(r[0]) for r in table_under(ROOT / "docs" / "run-directory.md", "manifest.json")] == keys


def test_the_figures_of_a_proof_are_documented():
    source = ast.parse((ROOT / "audit" / "proof" / "judge.py").read_text(encoding="utf-8"))
    describe = next(n for n in source.body if isinstance(n, ast.FunctionDef) and n.name == "describe")
    made = max((n for n in ast.walk(describe) if isinstance(n, ast.Dict)), key=lambda d: len(d.keys))
    rows = {bare(r[0]): r[1] for r in table_under(ROOT / "docs" / "run-directory.md", "triggers.json")}
    assert {k.value for k in made.keys if isinstance(k, ast.Constant)} <= set(re.findall(r"`(\w+)`", rows["probe"]))


def test_the_stages_are_those_of_the_pipeline():
    rows = table_under(ROOT / "docs" / "run-directory.md", "What the stages write")
    assert [bare(r[0]) for r in rows] == [stage.name for stage in pipeline.STAGES]


def test_the_bounds_are_those_of_the_code():
    rows = table_under(ROOT / "docs" / "concepts.md", "The bounds")
    assert len(rows) > 20
    for _, value, place in rows:
        module, _, name = bare(place).partition(":")
        assert _constant(module, name) == float(value), place


def _constant(module: str, name: str) -> float:
    """A number at the top of a module, read without importing it: some import torch."""
    tree = ast.parse((ROOT / Path(*module.split("."))).with_suffix(".py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return float(ast.literal_eval(node.value))
    raise AssertionError(f"{module} has no {name}")


def test_what_the_readme_says_of_the_api_is_its_signature():
    assert {"out", "kind", "probe", "undecided"} <= set(inspect.signature(api.scan).parameters)
    for name in ("verdicts", "triggers", "findings", "save_cleaned", "outcome"):
        assert name in {*dir(api.Result), *api.Result.__dataclass_fields__}


def test_no_page_names_a_place_on_one_machine():
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(?:work|tmp|home|root|mnt)/", text_of(page)), page.name


def test_tables_are_well_formed():
    for page in PAGES:
        for table in re.findall(r"(?:^\|.*\n)+", prose(page), flags=re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
            assert len(widths) == 1, f"{page.name}: {table.splitlines()[0]}"


def test_types_of_all_schemas_are_known():
    for table in TABLES.values():
        assert all(str(dtype) in TYPES for dtype in table.values())
        assert pl.DataFrame(schema=table).width == len(table)
