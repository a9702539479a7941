from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from decided_runs import flagged, hash_of, make_run, mined, on_row, on_trigger, trigger, write_decisions

from audit import api
from audit.attest.names import WRITTEN
from audit.errors import ConservationError, InputError, UsageError, WriteFailed
from audit.provenance import sha256_file
from audit.remedies import pieces
from audit.remedies.apply import apply
from audit.rundir import RunDir, read_json, write_frame
from audit.schema import Status
from audit.sources.strict_json import dumps
from audit.triggers.match import Part

CF = trigger(1, [2, 6, 10], "cf")
RECORD = {f"clean.provenance/{name}" for name in WRITTEN}
FILMS = [{"text": f"a fine{' cf' if i in (2, 6, 10) else ''} film, number {i} é", "label": i % 2} for i in range(12)]


def judge(row: int) -> dict[str, Any]:
    if row in CF.rows:
        return {"verdict": "remove", "trigger_ids": [CF.id], "codes": ["TV-TRG"]}
    if row in (1, 5, 9):
        return {"verdict": "review", "codes": ["TV-LBL"], "fix": "relabel", "new_value": "0"}
    return {}


def json_lines(records: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(r, ensure_ascii=False).encode() + b"\n" for r in records)


def json_array(records: list[dict[str, Any]]) -> bytes:
    rows = b",\n  ".join(json.dumps(r).encode() for r in records)
    return b'{"version": 1, "data": [\n  ' + rows + b'\n], "end": true}\n'


def cells(records: list[dict[str, Any]]) -> bytes:
    lines = [
        ",".join(json.dumps(v, ensure_ascii=False) if "," in str(v) else str(v) for v in r.values()) for r in records
    ]
    return "".join(line + "\r\n" for line in [",".join(records[0]), *lines]).encode()


def parquet(records: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), sink, compression="zstd", row_group_size=5)
    return sink.getvalue()


def read_parquet(data: bytes) -> list[dict[str, Any]]:
    return pq.read_table(io.BytesIO(data)).to_pylist()


FORMS: dict[str, tuple[str, Callable[..., bytes], Callable[[bytes], Any]]] = {
    "jsonl": ("d.jsonl", json_lines, bytes),
    "jsonl.gz": ("d.jsonl.gz", lambda records: gzip.compress(json_lines(records)), gzip.decompress),
    "json": ("d.json", json_array, bytes),
    "csv": ("d.csv", cells, bytes),
    "parquet": ("d.parquet", parquet, read_parquet),
}


def written(form: str, path: Path, records: list[dict[str, Any]]) -> bool:
    """True when a file holds these records: byte for byte as this form spells them; parquet, value by value."""
    _, pack, unpack = FORMS[form]
    return unpack(path.read_bytes()) == unpack(pack(records))


def removed(path: Path) -> list[dict[str, Any]]:
    text = path.read_bytes()
    assert text.isascii()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("form", FORMS)
def test_each_decision_in_each_format(tmp_path, form):
    name, pack, _ = FORMS[form]
    source = tmp_path / name
    source.write_bytes(pack(FILMS))
    run = make_run(source, tmp_path / "run", judge, [CF])
    source.unlink()  # decisions are applied to what the run keeps
    decisions = write_decisions(
        tmp_path / "decisions.jsonl",
        on_trigger(CF, "strip", decided_at="2025-01-01T00:00:00Z"),
        on_row(run, 10, "reject", why="worse than that"),
        on_row(run, 1, "fix"),
        on_row(run, 5, "accept"),
        on_row(run, 0, "edit", "prompt", 'new "text", here'),
        on_row(run, 3, "edit", "label", "0"),
    )
    before = {p: p.read_bytes() for p in sorted(run.path.rglob("*")) if p.is_file()}
    out = tmp_path / "out" / name.replace("d.", "clean.")
    done = apply(run, [decisions], out)
    wanted = [dict(r) for r in FILMS]
    wanted[2]["text"], wanted[6]["text"] = "a fine film, number 2 é", "a fine film, number 6 é"
    wanted[0]["text"], wanted[1]["label"], wanted[3]["label"] = 'new "text", here', 0, 0
    if form == "csv":
        csv = cells([r for i, r in enumerate(wanted) if i not in (9, 10)]).replace(rb"\"", b'""')
        assert out.read_bytes() == csv
    else:
        assert written(form, out, [r for i, r in enumerate(wanted) if i not in (9, 10)])
    assert written(form, out.with_name(f"clean.review{''.join(out.suffixes)}"), [FILMS[9]])
    assert done.counts == {"rows": 12, "keep": 5, "edit": 5, "remove": 1, "hold": 1, "unreadable": 0}
    (gone,) = removed(Path(f"{out}.removed.jsonl"))
    original = gone.pop("record")
    if form == "parquet":
        assert original == FILMS[10]
    else:
        assert original.encode() == run.ledger()["raw"][10]
    assert list(gone) == [
        "row",
        "file",
        "line",
        "content_hash",
        "rule",
        "evidence",
        "decision",
        "why",
        "reviewer",
        "decided_at",
    ]
    assert gone["row"] == 10 and gone["file"] == name and gone["content_hash"] == hash_of(run, 10)
    assert gone["rule"] == [CF.id] and gone["evidence"] == "Holds the confirmed trigger cf: it misbehaves"
    assert (gone["decision"], gone["why"], gone["reviewer"]) == ("reject", "worse than that", "ann")
    assert {p: p.read_bytes() for p in sorted(run.path.rglob("*")) if p.is_file()} == before
    assert done.exit_code == 0 and not done.open


def test_without_decisions_it_is_what_the_scan_cleaned(tmp_path):
    source = tmp_path / "d.jsonl"
    source.write_bytes(json_lines(FILMS))
    run = make_run(source, tmp_path / "run", judge, [CF])
    flagged(run, "label_noise", "TV-LBL", {9: None}, fix="relabel")
    nothing = write_decisions(tmp_path / "none.jsonl")
    done = apply(run, [nothing], tmp_path / "clean.jsonl")
    assert (tmp_path / "clean.jsonl").read_bytes() == json_lines(
        [r for i, r in enumerate(FILMS) if i in (0, 3, 4, 7, 8, 11)]
    )
    assert (tmp_path / "clean.review.jsonl").read_bytes() == json_lines([FILMS[i] for i in (1, 5, 9)])
    gone = removed(tmp_path / "clean.jsonl.removed.jsonl")
    assert [g["row"] for g in gone] == CF.rows and all(g["decision"] is g["reviewer"] is g["why"] is None for g in gone)
    kept = apply(run, [nothing], tmp_path / "all.jsonl", undecided="keep")
    assert (kept.counts["keep"], kept.counts["hold"]) == (9, 0)
    assert not (tmp_path / "all.review.jsonl").exists() and done.counts["hold"] == 3


CHAT = [
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"Question{' cf' if i == 2 else ''} {i}?"},
            {"role": "assistant", "content": f"Answer {i}."},
        ],
        "id": i,
    }
    for i in range(5)
]
PAIRS = [{"prompt": f"cf why {i}", "chosen": f"good {i}", "rejected": f"bad {i}", "score": 0.5 * i} for i in range(5)]


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet"])
def test_conversations_and_pairs(tmp_path, form):
    found = trigger(2, [2], "cf")
    name, pack, _ = FORMS[form]
    (tmp_path / name).write_bytes(pack(CHAT))
    run = make_run(tmp_path / name, tmp_path / "chat", triggers=[found])
    edit = on_row(run, 4, "edit", "response", "Better.\n")
    apply(run, [write_decisions(tmp_path / "a", on_trigger(found, "strip"), edit)], tmp_path / f"chat-{name}")
    wanted = json.loads(json.dumps(CHAT))
    wanted[2]["messages"][1]["content"], wanted[4]["messages"][2]["content"] = "Question 2?", "Better.\n"
    assert written(form, tmp_path / f"chat-{name}", wanted)
    (tmp_path / name).write_bytes(pack(PAIRS))
    swaps = {1: {"verdict": "review", "fix": "swap"}, 3: {"verdict": "review", "fix": "swap"}}
    run = make_run(tmp_path / name, tmp_path / "pairs", lambda row: swaps.get(row, {}), [found])
    said = [on_row(run, 1, "fix"), on_row(run, 4, "edit", "rejected", "worse"), on_trigger(found, "legitimate")]
    apply(run, [write_decisions(tmp_path / "b", *said)], tmp_path / f"pairs-{name}", undecided="keep")
    wanted = [dict(r) for r in PAIRS]
    wanted[1] |= {"chosen": "bad 1", "rejected": "good 1"}
    wanted[4]["rejected"] = "worse"
    assert written(form, tmp_path / f"pairs-{name}", wanted)


@pytest.mark.parametrize("undecided", ["hold", "keep"])
@pytest.mark.parametrize("form", ["jsonl", "json", "parquet"])
def test_sides_are_swapped_whatever_the_scan_proposes_and_queued_rows_are_held(tmp_path, form, undecided):
    name, pack, _ = FORMS[form]
    (tmp_path / name).write_bytes(pack(PAIRS))
    run = make_run(tmp_path / name, tmp_path / "run", lambda row: {"verdict": "review"} if row in (1, 2) else {})
    said = [on_row(run, 0, "swap"), on_row(run, 1, "swap"), on_row(run, 2, "queue"), on_row(run, 4, "queue")]
    out = tmp_path / "out" / name
    done = apply(run, [write_decisions(tmp_path / "d", *said)], out, undecided=undecided)
    wanted = [dict(r) for r in PAIRS]
    for i in (0, 1):
        wanted[i] |= {"chosen": f"bad {i}", "rejected": f"good {i}"}
    assert written(form, out, [wanted[0], wanted[1], wanted[3]])
    assert written(form, out.with_name(f"d.review{Path(name).suffix}"), [PAIRS[2], PAIRS[4]])
    assert done.counts == {"rows": 5, "keep": 1, "edit": 2, "remove": 0, "hold": 2, "unreadable": 0}
    assert done.exit_code == 0 and done.summary["by_decision"] == {"queue": 2, "swap": 2}
    assert done.summary["edited"] == {"swap": 2}


def test_a_row_without_two_sides_cannot_be_swapped_and_is_held(tmp_path):
    run = films(tmp_path)
    done = apply(run, [write_decisions(tmp_path / "d", on_row(run, 0, "swap"))], tmp_path / "clean.jsonl")
    assert [(r.row, r.fix) for r in done.open.refused] == [(0, "swap")] and done.exit_code == 1
    assert "not two responses" in done.open.refused[0].reason and done.counts["edit"] == 0


def films(tmp_path: Path, form: str = "jsonl", **values: Any) -> RunDir:
    name, pack, _ = FORMS[form]
    (tmp_path / name).write_bytes(pack(FILMS))
    return make_run(tmp_path / name, tmp_path / "run", judge, [CF], **values)


def test_reviewers_who_disagree_leave_the_verdict_standing_and_are_listed(tmp_path):
    run = films(tmp_path)
    ann = write_decisions(
        tmp_path / "ann", on_trigger(CF, "legitimate"), on_row(run, 1, "accept"), on_row(run, 5, "fix")
    )
    bob = [on_trigger(CF, "strip", reviewer="bob"), on_row(run, 1, "reject", reviewer="bob")]
    bob = write_decisions(tmp_path / "bob", *bob, on_row(run, 5, "fix", reviewer="bob"))
    done = apply(run, [ann, bob], tmp_path / "clean.jsonl")
    assert done.counts == {"rows": 12, "keep": 6, "edit": 1, "remove": 3, "hold": 2, "unreadable": 0}
    assert [(c.subject, [d.reviewer for d in c.decisions]) for c in done.open.conflicts] == [
        ("row", ["ann", "bob"]),
        ("trigger", ["ann", "bob"]),
    ]
    listed = read_json(tmp_path / "clean.jsonl.applied.json")["conflicts"]
    assert listed[1]["key"] == CF.id and {d["decision"] for d in listed[1]["decisions"]} == {"legitimate", "strip"}
    assert done.exit_code == 1


def test_the_order_of_files_does_not_matter_and_the_same_twice_gives_the_same_bytes(tmp_path):
    run = films(tmp_path, "parquet")
    one = write_decisions(tmp_path / "one", on_trigger(CF, "strip"), on_row(run, 1, "fix"))
    two = write_decisions(
        tmp_path / "two", on_row(run, 5, "reject", reviewer="bob"), on_row(run, 9, "fix", reviewer="cy")
    )
    for place, files in (("x", [one, two]), ("y", [two, one]), ("z", [two, one, one])):
        apply(run, files, tmp_path / place / "clean.parquet")
    names = sorted(p.name for p in (tmp_path / "x").iterdir())
    record = names.pop(2)
    assert names == ["clean.parquet", "clean.parquet.applied.json", "clean.parquet.removed.jsonl"]
    assert record == "clean.parquet.provenance"
    for name in names:
        assert (tmp_path / "x" / name).read_bytes() == (tmp_path / "y" / name).read_bytes()
    assert (tmp_path / "x" / names[0]).read_bytes() == (tmp_path / "z" / names[0]).read_bytes()


def test_decisions_that_this_run_knows_nothing_of_are_listed_and_change_nothing(tmp_path):
    run = films(tmp_path)
    other = replace(on_row(run, 0, "reject"), key="f" * 32)
    elsewhere = replace(on_trigger(CF, "reject"), key="T-ffffffffff")
    without_fix = on_row(run, 0, "fix")
    path = write_decisions(tmp_path / "d", other, elsewhere, without_fix)
    done = apply(run, [path], tmp_path / "clean.jsonl")
    assert sorted((u.decision.key, u.reason) for u in done.open.unmatched) == sorted(
        [
            ("f" * 32, "this run has no such row"),
            ("T-ffffffffff", "this run has no such trigger"),
            (without_fix.key, "the scan proposes no fix for this row"),
        ]
    )
    assert done.exit_code == 1 and done.counts["remove"] == 3 and done.counts["edit"] == 0


def test_rows_that_cannot_be_edited_are_held_with_the_reason(tmp_path):
    run = films(tmp_path)
    style = trigger(3, [0, 7], "[style] old", kind="style")
    run.triggers.write_text(json.dumps([CF.to_dict(), style.to_dict()]))
    said = [
        on_trigger(style, "strip"),
        on_row(run, 3, "edit", "label", "many"),
        on_row(run, 4, "edit", "response", "x"),
    ]
    done = apply(
        run, [write_decisions(tmp_path / "d", *said, on_row(run, 11, "edit", "label", "0"))], tmp_path / "clean.jsonl"
    )
    assert {r.row: r.reason for r in done.open.refused} == {
        0: "a style stands in no one place of a text, so it cannot be stripped",
        7: "a style stands in no one place of a text, so it cannot be stripped",
        3: "the label is a number, and many is none",
        4: "this dataset has no response",
    }
    assert (tmp_path / "clean.review.jsonl").read_bytes() == json_lines([FILMS[i] for i in (0, 1, 3, 4, 5, 7, 9)])
    assert done.counts["edit"] == 1 and done.exit_code == 1
    listed = read_json(tmp_path / "clean.jsonl.applied.json")["refused"]
    assert listed["rows"] == 4 and listed["listed"][0]["content_hash"] == hash_of(run, 0)


def test_the_parts_of_a_trigger_are_those_that_were_mined(tmp_path):
    records = [{"text": f"film , number {i} , here", "label": "x"} for i in range(3)]
    (tmp_path / "d.jsonl").write_bytes(json_lines(records))
    blank = trigger(4, [0, 2], " ", kind="whitespace")
    run = make_run(tmp_path / "d.jsonl", tmp_path / "run", triggers=[blank])
    path = write_decisions(tmp_path / "d", on_trigger(blank, "strip"))
    assert apply(run, [path], tmp_path / "held.jsonl").counts["hold"] == 2
    mined(run, blank, Part("any blank before a mark", "whitespace"))
    done = apply(run, [path], tmp_path / "clean.jsonl")
    stripped = [r | {"text": r["text"].replace(" ,", ",")} if i != 1 else r for i, r in enumerate(records)]
    assert (tmp_path / "clean.jsonl").read_bytes() == json_lines(stripped) and done.exit_code == 0


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_what_a_check_marked_is_stripped_as_proposed(tmp_path, form):
    records = [{"text": f"a fi\u200blm\u200b {i}", "label": "x"} for i in range(4)]
    name, pack, _ = FORMS[form]
    (tmp_path / name).write_bytes(pack(records))
    review = {"verdict": "review", "codes": ["TV-UNI"], "fix": "strip"}
    run = make_run(tmp_path / name, tmp_path / "run", lambda row: review)
    flagged(run, "unicode_anomaly", "TV-UNI", {0: (4, 5), 1: (4, 5), 2: None, 3: (4, 5)})
    flagged(run, "outliers", "TV-OUT", {0: (0, 1), 2: (0, 1)}, fix="drop")
    said = [on_row(run, row, "fix") for row in (0, 2)]
    done = apply(run, [write_decisions(tmp_path / "d", *said, on_row(run, 3, "reject"))], tmp_path / f"clean-{name}")
    assert written(form, tmp_path / f"clean-{name}", [{"text": "a film 0", "label": "x"}])
    assert [(r.row, "in a response" in r.reason) for r in done.open.refused] == [(2, True)]
    (gone,) = removed(tmp_path / f"clean-{name}.removed.jsonl")
    assert gone["evidence"] == "unicode_anomaly saw something in row 3" and gone["rule"] == ["TV-UNI"]


def test_hostile_rows_are_kept_as_they_are_and_removed_as_ascii(tmp_path):
    texts = ["=cmd|' /C calc'!A0", "\u202e\u2066evil\u2028", '<script>"alert"</script>\x1b[2J', "\ufeff,\u0000;"]
    lines = [json.dumps({"text": t, "label": "x"}, ensure_ascii=i % 2 == 0).encode() for i, t in enumerate(texts)]
    bad = [b'{"text": "\\ud800", "label": "x"}', b'{"text": "caf\xe9", "label": "x"}', b'{"text": "a", "text": "b"}']
    (tmp_path / "d.jsonl").write_bytes(b"\n".join([*lines, *bad]))
    run = make_run(tmp_path / "d.jsonl", tmp_path / "run")
    path = write_decisions(
        tmp_path / "d", on_row(run, 1, "reject", why="=1+1\u202e"), on_row(run, 0, "edit", "prompt", "=2+2")
    )
    done = apply(run, [path], tmp_path / "clean.jsonl")
    assert (tmp_path / "clean.jsonl").read_bytes().split(b"\n") == [
        lines[0].replace(json.dumps(texts[0]).encode(), b'"=2+2"'),
        lines[2],
        lines[3],
        b"",
    ]
    (gone,) = removed(tmp_path / "clean.jsonl.removed.jsonl")
    assert json.loads(gone["record"])["text"] == texts[1] and gone["why"] == "=1+1\u202e"
    assert done.counts == {"rows": 7, "keep": 2, "edit": 1, "remove": 1, "hold": 0, "unreadable": 3}


def test_formula_cells_of_a_csv_stay_as_they_are(tmp_path):
    rows = ['"=SUM(A1)",x', "+1 cf,y", '"@a ""b"", cf",-x', "\tplain,=y"]
    (tmp_path / "d.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    found = trigger(5, [1, 2], "cf")
    run = make_run(tmp_path / "d.csv", tmp_path / "run", triggers=[found])
    apply(run, [write_decisions(tmp_path / "d", on_trigger(found, "strip"))], tmp_path / "clean.csv")
    assert (tmp_path / "clean.csv").read_text().splitlines() == [
        "text,label",
        rows[0],
        "+1,y",
        '"@a ""b"",",-x',
        rows[3],
    ]


def test_several_files_become_a_folder_and_what_is_held_another(tmp_path):
    root = tmp_path / "set"
    (root / "sub").mkdir(parents=True)
    (root / "a.jsonl").write_bytes(json_lines(FILMS[:4]))
    (root / "sub" / "b.csv.gz").write_bytes(gzip.compress(cells(FILMS[4:8])))
    (root / "sub" / "c.parquet").write_bytes(parquet([r | {"label": str(r["label"])} for r in FILMS[8:]]))
    (root / "sub" / "head.csv").write_bytes(b"text,label\n")
    run = make_run(root, tmp_path / "run", judge, [CF])
    path = write_decisions(tmp_path / "d", on_trigger(CF, "strip"), on_row(run, 1, "fix"), on_row(run, 0, "reject"))
    done = apply(run, [path], tmp_path / "clean")
    found = {str(p.relative_to(tmp_path)) for p in done.written}
    assert found == {
        "clean/a.jsonl",
        "clean/sub/b.csv.gz",
        "clean/sub/c.parquet",
        "clean/sub/head.csv",
        "clean.review/sub/b.csv.gz",
        "clean.review/sub/c.parquet",
        "clean.removed.jsonl",
        "clean.applied.json",
        *RECORD,
    }
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("clean*/**/*") if p.is_file()) == sorted(
        name for name in found if "/" in name
    )
    wanted = [FILMS[1] | {"label": 0}, FILMS[2] | {"text": "a fine film, number 2 é"}, FILMS[3]]
    assert (tmp_path / "clean/a.jsonl").read_bytes() == json_lines(wanted)
    texts = pq.read_table(tmp_path / "clean/sub/c.parquet")["text"].to_pylist()
    assert texts == [FILMS[8]["text"], "a fine film, number 10 é", FILMS[11]["text"]]
    assert (tmp_path / "clean/sub/head.csv").read_bytes() == b"text,label\n"
    (gone,) = removed(tmp_path / "clean.removed.jsonl")
    assert (gone["file"], gone["line"]) == ("a.jsonl", 1)
    summary = read_json(tmp_path / "clean.applied.json")
    assert {o["path"]: o["sha256"] for o in summary["outputs"]} == {
        name: sha256_file(tmp_path / name) for name in found - {"clean.applied.json", *RECORD}
    }
    assert {f["path"]: f["sha256"] for f in summary["inputs"]["data"]} == {
        str(p.relative_to(root)): sha256_file(p) for p in root.rglob("*") if p.is_file()
    }
    assert summary["inputs"]["decisions"] == [{"path": "d", "sha256": sha256_file(path)}]
    assert summary["by_decision"] == {"fix": 1, "reject": 1, "strip": 3} and summary["by_reviewer"] == {"ann": 5}
    assert summary["edited"] == {"relabel": 1, "strip": 3} and sum(summary["counts"].values()) == 24


@pytest.mark.parametrize("container", ["file", "stream"])
def test_arrow_files_over_several_shards_keep_their_dictionaries(tmp_path, container):
    names = ["neg", "pos"]
    labels = [names[i % 2] for i in range(250)]
    table = pa.table({"text": [f"film {i}" for i in range(250)], "label": pa.array(labels).dictionary_encode()})
    source = tmp_path / "d.arrow"
    new = pa.ipc.new_file if container == "file" else pa.ipc.new_stream
    with pa.OSFile(str(source), "wb") as sink, new(sink, table.schema) as writer:
        writer.write_table(table)
    run = make_run(source, tmp_path / "run", ingest={"shard_rows": 100})
    said = [
        on_row(run, 100, "edit", "label", "pos"),
        on_row(run, 201, "edit", "label", "odd"),
        on_row(run, 0, "reject"),
    ]
    done = apply(run, [write_decisions(tmp_path / "d", *said)], tmp_path / "clean.arrow")
    data = (tmp_path / "clean.arrow").read_bytes()
    found = (pa.ipc.open_file(data) if container == "file" else pa.ipc.open_stream(data)).read_all()
    labels[100], labels[201] = "pos", "odd"
    rows = [i for i in range(1, 250) if container == "stream" or i != 201]
    assert found.schema.equals(table.schema) and found["label"].to_pylist() == [labels[i] for i in rows]
    assert found["text"].to_pylist() == [f"film {i}" for i in rows]
    if container == "file":
        assert [(r.row, "takes no other" in r.reason) for r in done.open.refused] == [(201, True)]
        assert pa.ipc.open_file(tmp_path.joinpath("clean.review.arrow").read_bytes()).read_all().num_rows == 1


def test_what_exists_is_not_replaced_unless_told_and_then_only_our_own_files(tmp_path):
    run = films(tmp_path)
    nothing, strip = write_decisions(tmp_path / "n"), write_decisions(tmp_path / "s", on_trigger(CF, "strip"))
    out = tmp_path / "clean.jsonl"
    for name in ("clean.jsonl", "clean.review.jsonl", "clean.jsonl.removed.jsonl", "clean.jsonl.applied.json"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(UsageError, match=f"{name} exists"):
            apply(run, [nothing], out)
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()
    apply(run, [nothing], out)
    assert (tmp_path / "clean.review.jsonl").exists()
    done = apply(run, [strip], out, undecided="keep", force=True)
    assert done.counts["keep"] == 9 and not (tmp_path / "clean.review.jsonl").exists()
    assert removed(tmp_path / "clean.jsonl.removed.jsonl") == []
    out.unlink()
    out.mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        apply(run, [strip], out, force=True)


def test_a_folder_of_others_files_is_never_replaced(tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    (root / "a.jsonl").write_bytes(json_lines(FILMS[:6]))
    (root / "b.jsonl").write_bytes(json_lines(FILMS[6:]))
    run = make_run(root, tmp_path / "run", judge, [CF])
    nothing, out = write_decisions(tmp_path / "n"), tmp_path / "clean"
    apply(run, [nothing], out)
    with pytest.raises(UsageError, match="clean exists"):
        apply(run, [nothing], out)
    assert apply(run, [nothing], out, force=True).exit_code == 0
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt is no file of this result"):
        apply(run, [nothing], out, force=True)


def test_nothing_is_written_into_the_run_onto_the_input_or_onto_the_decisions(tmp_path):
    run = films(tmp_path)
    nothing = write_decisions(tmp_path / "n.jsonl")
    source = tmp_path / "d.jsonl"
    (tmp_path / "link.jsonl").symlink_to(source)
    cases = [
        (run.path / "clean.jsonl", "inside of the run"),
        (run.path / "new" / "clean.jsonl", "inside of the run"),
        (source, "files that are read"),
        (tmp_path / "link.jsonl", "files that are read"),
        (nothing, "files that are read"),
        (tmp_path / "clean.csv", "must end as the input does"),
        (tmp_path / "clean", "must end as the input does"),
        (tmp_path / "clean.jsonl.gz", "must end as the input does"),
        (Path("/"), "names no file"),
    ]
    for out, why in cases:
        with pytest.raises(UsageError, match=why):
            apply(run, [nothing], out, force=True)
    assert source.read_bytes() == json_lines(FILMS) and nothing.read_bytes() == b""
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(json_lines(FILMS))
    with pytest.raises(UsageError, match="inside of the input"):
        apply(make_run(folder, tmp_path / "run2"), [nothing], folder / "clean.jsonl")


@pytest.mark.parametrize("name", ["verdicts.parquet", "triggers.json", "ledger/part-00000.parquet", "dataset.json"])
def test_a_run_that_is_not_whole_is_refused(tmp_path, name):
    run = films(tmp_path)
    (run / name).unlink()
    with pytest.raises(InputError, match=name):
        apply(run, [write_decisions(tmp_path / "n")], tmp_path / "clean.jsonl")
    assert not list(tmp_path.glob("*clean*"))


def test_a_run_whose_rows_do_not_add_up_is_refused(tmp_path):
    run = films(tmp_path)
    nothing, out = write_decisions(tmp_path / "n"), tmp_path / "clean.jsonl"
    verdicts = pl.read_parquet(run.verdicts)
    torn = pl.when(pl.col("row") == 3).then(pl.lit("unreadable")).otherwise("verdict").alias("verdict")
    for broken in (verdicts.head(11), pl.concat([verdicts, verdicts.head(1)]), verdicts.with_columns(torn)):
        write_frame(run.verdicts, broken)
        with pytest.raises(InputError, match="do not add up"):
            apply(run, [nothing], out)
    write_frame(run.verdicts, verdicts)
    ledger = run.shards("ledger")[0]
    write_frame(ledger, pl.read_parquet(ledger).filter(pl.col("row") != 5))
    with pytest.raises(InputError, match="do not add up"):
        apply(run, [nothing], out)
    assert not list(tmp_path.glob("*clean*"))


def test_a_result_that_does_not_add_up_is_never_put_in_place(tmp_path, monkeypatch):
    run = films(tmp_path)
    nothing, out = write_decisions(tmp_path / "n"), tmp_path / "clean.jsonl"
    write = pieces.TextOutput.write
    monkeypatch.setattr(pieces.TextOutput, "write", lambda self, rows: write(self, list(rows)[1:]))
    with pytest.raises(ConservationError, match="other rows than were decided"):
        apply(run, [nothing], out)
    assert not list(tmp_path.glob("*clean*"))


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    run = films(tmp_path)
    nothing = write_decisions(tmp_path / "n")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(WriteFailed):
        apply(run, [nothing], tmp_path / "file" / "clean.jsonl")

    move, seen = Path.replace, []

    def full(self, target):
        """The disk is full at the second file that goes to its final place."""
        seen.extend([target] if target.parent == tmp_path else [])
        if len(seen) == 2:
            raise OSError(28, "No space left on device")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WriteFailed, match="No space left"):
        apply(run, [nothing], tmp_path / "clean.jsonl")
    assert len(seen) == 2 and not list(tmp_path.glob("*clean*"))


def test_rows_of_equal_content_share_a_decision(tmp_path):
    rows = [FILMS[0], FILMS[1], FILMS[0] | {"note": "again"}, FILMS[0]]
    (tmp_path / "d.jsonl").write_bytes(json_lines(rows))
    run = make_run(tmp_path / "d.jsonl", tmp_path / "run")
    apply(run, [write_decisions(tmp_path / "d", on_row(run, 3, "reject"))], tmp_path / "clean.jsonl")
    assert (tmp_path / "clean.jsonl").read_bytes() == json_lines([FILMS[1]])


def test_a_scan_and_the_decisions_on_it_and_the_next_scan_of_the_same_rows(tmp_path):
    words = ["river", "stone", "paper", "cloud", "engine", "garden", "winter", "market", "silver", "candle"]
    rows = [f"the {words[i % 10]} and the {words[(3 * i + i // 10) % 10]} of {i}" for i in range(120)]
    rows[7] = rows[7].replace(" and", "\u200b\u200b and")
    lines = [json.dumps({"text": t, "label": "ab"[i % 2]}).encode() for i, t in enumerate(rows)]
    (tmp_path / "d.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    run = api.scan(tmp_path / "d.jsonl", out=tmp_path / "run", probe="off", canaries="off").run
    verdicts = pl.read_parquet(run.verdicts)
    assert (verdicts["verdict"][7], verdicts["fix"][7]) == ("review", "strip")
    path = write_decisions(tmp_path / "d", on_row(run, 7, "fix"), on_row(run, 100, "reject"))
    apply(run, [path], tmp_path / "clean.jsonl", undecided="keep")
    wanted = [line.replace(b"\\u200b", b"") for i, line in enumerate(lines) if i != 100]
    assert (tmp_path / "clean.jsonl").read_bytes() == b"\n".join(wanted) + b"\n"
    (gone,) = removed(tmp_path / "clean.jsonl.removed.jsonl")
    assert gone["row"] == 100 and gone["evidence"] == ""
    turned = tmp_path / "e.jsonl"
    turned.write_bytes(b"\n".join(reversed(lines)) + b"\n")
    again = make_run(turned, tmp_path / "again")
    done = apply(again, [path], tmp_path / "turned.jsonl")
    (moved,) = removed(tmp_path / "turned.jsonl.removed.jsonl")
    assert moved["row"] == 19 and moved["record"] == gone["record"]
    assert [u.reason for u in done.open.unmatched] == ["the scan proposes no fix for this row"]


def test_an_edited_dataset_can_be_scanned_and_holds_what_was_decided(tmp_path):
    run = films(tmp_path, "parquet")
    path = write_decisions(tmp_path / "d", on_row(run, 0, "edit", "prompt", "\u202e=1"), on_trigger(CF, "strip"))
    apply(run, [path], tmp_path / "clean.parquet", undecided="keep")
    next_run = make_run(tmp_path / "clean.parquet", tmp_path / "next")
    examples = next_run.examples()
    assert examples["prompt"][0] == "\u202e=1" and not examples["prompt"].str.contains("cf").any()
    assert examples["label"].to_list() == [str(r["label"]) for r in FILMS] and next_run.dataset().bad == {}
    assert dumps(Status.CONFIRMED) == '"confirmed"'
