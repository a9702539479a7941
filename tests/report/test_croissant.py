"""Croissant metadata of the cleaned set: structure, types, and the reference implementation where it is installed."""

from __future__ import annotations

import hashlib
import json
import logging

import polars as pl
import pytest
from machine_runs import export_of, word_run
from report_runs import make_run

from audit.report import croissant
from audit.rundir import read_json, write_bytes, write_json

CHAT = [{"messages": [{"role": "user", "content": f"hi {i}"}], "score": i / 2, "n": i, "ok": True} for i in range(5)]


def metadata_of(ctx):
    return json.loads(croissant.render(export_of(ctx)).decode("ascii"))


def run_with(path, content, form="jsonl", **layout):
    """A run of four rows whose cleaned file is `content`."""
    ctx = make_run(path, [{"prompt": f"x {i}", "label": "a"} for i in range(4)])
    info = read_json(ctx.run / "dataset.json")
    info["files"][0] |= {"path": f"part/my data.{form}", "format": form, "layout": layout}
    write_json(ctx.run / "dataset.json", info)
    write_bytes(ctx.run / "cleaned" / "part" / f"my data.{form}", content)
    return ctx


def chat():
    return "".join(json.dumps(row) + "\n" for row in CHAT).encode()


def columnar(path, form):
    frame = pl.DataFrame(CHAT)
    write = frame.write_parquet if form == "parquet" else frame.write_ipc
    write(path / f"x.{form}")
    return (path / f"x.{form}").read_bytes()


def kinds(record_set):
    return {f["name"]: f.get("dataType") for f in record_set["field"]}


def test_files_have_their_hash_size_and_address(tmp_path):
    ctx = run_with(tmp_path, chat())
    found = metadata_of(ctx)
    assert found["@type"] == "sc:Dataset" and found["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    (file,) = found["distribution"]
    assert file["@type"] == "cr:FileObject" and file["contentUrl"] == "part/my%20data.jsonl"
    assert file["sha256"] == hashlib.sha256(chat()).hexdigest() and file["contentSize"] == f"{len(chat())} B"
    assert file["encodingFormat"] == "application/jsonlines"


def test_fields_are_columns_with_their_types(tmp_path):
    found = metadata_of(run_with(tmp_path, chat()))
    (records,) = found["recordSet"]
    assert kinds(records) == {"messages": None, "score": "sc:Float", "n": "sc:Integer", "ok": "sc:Boolean"}
    messages = records["field"][0]
    assert messages["repeated"] is True and [f["name"] for f in messages["subField"]] == ["role", "content"]
    ids = [f["@id"] for f in records["field"]] + [f["@id"] for f in messages["subField"]]
    assert len(set(ids)) == len(ids)
    for field in [*records["field"][1:], *messages["subField"]]:
        assert field["source"]["fileObject"] == {"@id": found["distribution"][0]["@id"]}
        assert field["source"]["extract"]["column"]


def test_columns_of_delimited_text_are_text(tmp_path):
    ctx = run_with(tmp_path, b"text,label\nx,1\ny,0\n", "csv", delimiter=",", quoted=True)
    assert kinds(metadata_of(ctx)["recordSet"][0]) == {"text": "sc:Text", "label": "sc:Text"}


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_columnar_files_have_the_fields_of_the_same_rows_as_lines(tmp_path, form):
    ctx = run_with(tmp_path / form, columnar(tmp_path, form), form)
    (records,) = metadata_of(ctx)["recordSet"]
    assert records["field"] == metadata_of(run_with(tmp_path / "jsonl", chat()))["recordSet"][0]["field"]


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("sc:Integer", "sc:Float", "sc:Float"),
        ("sc:Integer", "sc:Text", "sc:Text"),
        ("sc:Boolean", "sc:Integer", "sc:Text"),
        (None, "sc:Float", "sc:Float"),
        (["sc:Text"], ["sc:Integer"], ["sc:Text"]),
        ({"a": "sc:Text"}, {"b": "sc:Float"}, {"a": "sc:Text", "b": "sc:Float"}),
        (["sc:Text"], "sc:Text", "sc:Text"),
    ],
)
def test_shapes_that_differ_become_what_holds_both(one, other, both):
    assert croissant.merge(one, other) == croissant.merge(other, one) == both


def test_names_are_identifiers_whatever_the_columns_are_called(tmp_path):
    rows = "".join(json.dumps({"a b": 1, "a/b": 2, "<script>": 3, "": 4, "é": [{"x y": 1}]}) + "\n" for _ in range(2))
    (records,) = metadata_of(run_with(tmp_path, rows.encode()))["recordSet"]
    assert all(set(f["name"]) <= set("abcdefghijklmnopqrstuvwxyz-0123456789") for f in records["field"])
    assert len({f["@id"] for f in records["field"]}) == 5


def test_a_run_without_cleaned_files_lists_none(tmp_path):
    ctx = make_run(tmp_path, [{"prompt": "x", "label": "a"}] * 4)
    found = metadata_of(ctx)
    assert found["distribution"] == [] == found["recordSet"]


def test_rendering_twice_gives_the_same_bytes(tmp_path):
    ctx, _ = word_run(tmp_path)
    assert croissant.render(export_of(ctx)) == croissant.render(export_of(ctx))


def test_the_reference_implementation_reads_it(tmp_path, caplog):
    """Runs where `mlcroissant` is installed; no dependency of ours."""
    mlcroissant = pytest.importorskip("mlcroissant")
    ctx = run_with(tmp_path / "run", chat())
    folder = ctx.run / "cleaned"
    write_bytes(folder / "croissant.json", croissant.render(export_of(ctx)))
    (folder / "part" / "my%20data.jsonl").symlink_to(folder / "part" / "my data.jsonl")
    with caplog.at_level(logging.ERROR):
        dataset = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    records = list(dataset.records("records-0"))
    assert [r["records-0/2-n"] for r in records] == [row["n"] for row in CHAT]
