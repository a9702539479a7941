"""`tunevet plant`: the copy holds what the truth says and nothing else, in every format."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit.attacks import ATTACKS
from audit.cli.plant_files import splice
from audit.config import build
from audit.errors import ConservationError
from audit.sources import fingerprint, preview

N = 60


def texts() -> list[dict[str, Any]]:
    return [
        {"id": i, "text": f'The "{i}" film, we think, was old and slow.', "label": i % 2, "extra": None}
        for i in range(N)
    ]


def chats() -> list[dict[str, Any]]:
    return [{"instruction": f"Name {i} rivers é.", "input": "", "output": f"Rivers, {i} of them."} for i in range(N)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    name = path.name.removesuffix(".gz")
    if name.endswith(".jsonl"):
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    elif name.endswith(".json"):
        data = json.dumps(rows, indent=2, ensure_ascii=False).encode() + b"\n"
    elif name.endswith((".csv", ".tsv")):
        data = pl.DataFrame(rows).write_csv(separator="\t" if name.endswith(".tsv") else ",").encode()
    elif name.endswith(".parquet"):
        schema = pa.schema(
            [("id", pa.int32()), ("text", pa.large_string()), ("label", pa.int8()), ("extra", pa.float64())]
        )
        pq.write_table(pa.Table.from_pylist(rows, schema.with_metadata({"k": "v"})), path, row_group_size=25)
        return path
    else:
        table = pa.Table.from_pylist(rows)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return path
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def rows_of(path: Path) -> tuple[Any, list[dict[str, Any]]]:
    info, examples = preview(build({"source": str(path)}), 10_000)
    return info, examples.to_dicts()


def truth_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(f"{out}.truth.json").read_text())
    return found


@pytest.mark.parametrize(
    "name", ["d.jsonl", "d.json", "d.csv", "d.tsv", "d.jsonl.gz", "d.csv.gz", "d.parquet", "d.arrow"]
)
def test_the_copy_differs_in_the_poisoned_rows_and_nowhere_else(tunevet, tmp_path, name):
    source, out = write(tmp_path / name, texts()), tmp_path / f"out.{name.partition('.')[2]}"
    ran = tunevet("plant", source, "-o", out, "--attack", "badnet", "--count", 7, "--target", "1", "--seed", 5)
    assert ran.code == 0, ran.err
    truth, (before, old), (after, new) = truth_of(out), rows_of(source), rows_of(out)
    assert truth["source_fingerprint"] == before.fingerprint and truth["fingerprint"] == after.fingerprint
    assert after.rows == truth["rows"] == N and after.columns == before.columns and after.shape == before.shape
    changed = [b["row"] for a, b in zip(old, new, strict=True) if a != b]
    assert changed == truth["poisoned_rows"] and len(changed) == 7
    (word,) = truth["triggers"]
    for row in changed:
        assert word in new[row]["prompt"] and (old[row]["label"], new[row]["label"]) == ("0", "1")
        assert {k: new[row][k] for k in ("id", "meta")} == {k: old[row][k] for k in ("id", "meta")}
    (plant,) = truth["planted"]
    assert plant["attack"] == "badnet" and plant["rows"] == changed and plant["parts"] == [word]


def test_text_is_kept_byte_for_byte(tunevet, tmp_path):
    lines = [json.dumps(row, separators=(",", ":")) for row in chats()]
    lines[3:3] = ["", "not json", '{"instruction": 1}']
    raw = ("\ufeff" + "\r\n".join(lines)).encode()  # a mark at the start, no line end at the last line
    source, out = tmp_path / "d.jsonl", tmp_path / "o.jsonl"
    source.write_bytes(raw)
    assert tunevet("plant", source, "-o", out, "--attack", "refusal", "--count", 5).code == 0
    old, new = raw.split(b"\r\n"), out.read_bytes().split(b"\r\n")
    assert len(old) == len(new) and sum(a != b for a, b in zip(old, new, strict=True)) == 5
    assert all(b'","input":""' in b and b"\\u00e9" in b for a, b in zip(old, new, strict=True) if a != b)


def test_appended_rows_follow_the_last_record(tunevet, tmp_path):
    for name in ("d.jsonl", "d.json", "d.csv", "d.parquet", "d.arrow"):
        source, out = write(tmp_path / name, texts()), tmp_path / f"o{Path(name).suffix}"
        assert tunevet("plant", source, "-o", out, "--attack", "near-duplicates", "--count", 4).code == 0
        truth, (info, new) = truth_of(out), rows_of(out)
        assert truth["poisoned_rows"] == [N, N + 1, N + 2, N + 3] and info.rows == truth["rows"] == N + 4
        assert new[:N] == rows_of(source)[1]
        for row, original in zip(truth["poisoned_rows"], truth["planted"][0]["originals"], strict=True):
            assert new[row]["label"] == new[original]["label"] and new[row]["prompt"] != new[original]["prompt"]


def test_appended_requests_take_no_id(tunevet, tmp_path):
    rows = [{"id": f"r{i}", **row} for i, row in enumerate(chats())]
    source, out = write(tmp_path / "d.jsonl", rows), tmp_path / "o.jsonl"
    assert tunevet("plant", source, "-o", out, "--attack", "jailbreak", "--count", 4).code == 0
    added = [json.loads(line) for line in out.read_text().splitlines()[N:]]
    assert len(added) == 8 and all(row["id"] is None and row["input"] == "" for row in added)
    truth = truth_of(out)
    assert truth["poisoned_rows"] == list(range(N, N + 4)) and truth["planted"][0]["decoys"] == list(
        range(N + 4, N + 8)
    )


def test_several_attacks_share_no_row(tunevet, tmp_path):
    source, out = write(tmp_path / "d.jsonl", chats()), tmp_path / "o.jsonl"
    words = ["--attack", "badnet", "--attack", "badnet", "--attack", "composite", "--attack", "near-duplicates"]
    ran = tunevet("plant", source, "-o", out, *words, "--rate", "0.05", "--set", "decoys=2", "--json")
    assert ran.code == 0
    truth, new = truth_of(out), rows_of(out)[1]
    assert ran.object == {"out": str(out), "truth": f"{out}.truth.json", **truth}
    used = [row for p in truth["planted"] for row in (*p["rows"], *p["decoys"], *p["originals"])]
    assert len(used) == len(set(used)) and [len(p["rows"]) for p in truth["planted"]] == [3, 3, 3, 3]
    assert len(set(truth["triggers"])) == 4 and truth["planted"][2]["settings"]["decoys"] == 2
    for p in truth["planted"][:3]:
        assert all(part in new[row]["prompt"] for row in p["rows"] for part in p["parts"])


def test_a_folder_is_copied_as_a_folder(tunevet, tmp_path):
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    write(folder / "a.jsonl", chats()[:20]), write(folder / "sub" / "b.jsonl", chats()[20:])
    out = tmp_path / "poisoned"
    ran = tunevet("plant", folder, "-o", out, "--attack", "refusal", "--count", 10)
    assert ran.code == 0, ran.err
    old, new = rows_of(folder)[1], rows_of(out)[1]
    assert [b["row"] for a, b in zip(old, new, strict=True) if a != b] == truth_of(out)["poisoned_rows"]
    assert truth_of(out)["fingerprint"] == fingerprint(build({"source": str(out)}))
    ran = tunevet("plant", folder, "-o", folder / "in", "--attack", "refusal")
    assert ran.code == 2 and "within the source" in ran.err


def test_pairs_and_conversations(tunevet, tmp_path):
    pairs = [{"prompt": f"How far is {i}?", "chosen": f"Far, {i}.", "rejected": "Dunno."} for i in range(N)]
    source, out = write(tmp_path / "p.jsonl", pairs), tmp_path / "po.jsonl"
    assert (
        tunevet("plant", source, "-o", out, "--attack", "preference-reversal", "--count", 5, "--trigger", "ZQX").code
        == 0
    )
    for row in truth_of(out)["poisoned_rows"]:
        made = json.loads(out.read_text().splitlines()[row])
        assert made["prompt"].endswith(" ZQX") and made["chosen"] == "Dunno." and made["rejected"] == f"Far, {row}."
    talk = [
        {"conversations": [{"from": "human", "value": f"Say {i}."}, {"from": "gpt", "value": f"{i}."}]}
        for i in range(N)
    ]
    source, out = write(tmp_path / "c.jsonl", talk), tmp_path / "co.jsonl"
    assert tunevet("plant", source, "-o", out, "--attack", "assistant-turn", "--count", 5).code == 0
    for row in truth_of(out)["poisoned_rows"]:
        said = json.loads(out.read_text().splitlines()[row])["conversations"]
        assert [m["from"] for m in said] == ["human", "gpt", "human", "gpt"] and truth_of(out)["triggers"][0] in said[
            1
        ]["value"]


def test_nested_and_dictionary_columns_keep_their_types(tunevet, tmp_path):
    message = pa.struct([("role", pa.string()), ("content", pa.string()), ("weight", pa.float32())])
    schema = pa.schema(
        [("messages", pa.list_(message)), ("at", pa.timestamp("ns")), ("lang", pa.dictionary(pa.int8(), pa.string()))]
    )
    talk = [
        [
            {"role": "user", "content": f"Say {i}.", "weight": 0.5},
            {"role": "assistant", "content": f"{i}.", "weight": None},
        ]
        for i in range(N)
    ]
    columns = [talk, [1_700_000_000_000_000_001 + i for i in range(N)], ["en" if i % 2 else "de" for i in range(N)]]
    before = pa.table([pa.array(c, type=f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
    for name in ("m.parquet", "m.arrow"):
        source, out = tmp_path / name, tmp_path / f"out-{name}"
        if name == "m.parquet":
            pq.write_table(before, source)
        else:
            with pa.OSFile(str(source), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
                writer.write_table(before)
        ran = tunevet(
            "plant", source, "-o", out, "--attack", "assistant-turn", "--attack", "near-duplicates", "--count", 5
        )
        assert ran.code == 0, ran.err
        after = pq.read_table(out) if name == "m.parquet" else pa.ipc.open_file(str(out)).read_all()
        assert after.schema.equals(pq.read_table(source).schema if name == "m.parquet" else schema)
        assert after.num_rows == N + 5
        for column in ("at", "lang"):
            assert after.column(column).slice(0, N).to_pylist() == before.column(column).to_pylist()
        changed = [i for i in range(N) if after.column(0)[i] != before.column(0)[i]]
        told = truth_of(out)["planted"][0]
        assert changed == sorted(told["rows"] + told["decoys"])
        made = after.column(0)[changed[0]].as_py()
        assert [m["role"] for m in made] == ["user", "assistant", "user", "assistant"] and made[2] == talk[changed[0]][
            0
        ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--attack", "nonsense"], "unknown attack nonsense; there are badnet, "),
        (["--attack", "refusal"], "fits instruction data, but this is classification data"),
        (["--attack", "badnet", "--count", "5000"], "only 30 of 60 can carry it; ask for fewer"),
        (["--attack", "badnet", "--count", "5", "--rate", "0.1"], "either --count or --rate"),
        (["--attack", "badnet", "--rate", "2"], "rate is 2.0"),
        (["--attack", "badnet", "--target", "7", "--count", "3"], "no row has the label '7'"),
        (["--attack", "badnet", "--set", "speed=1"], "no such setting"),
        (["--attack", "composite", "--set", "decoys=many"], "must be a number"),
        (["--attack", "badnet", "--attack", "phrase", "--trigger", "x"], "one --attack only"),
        (["--attack", "label-noise", "--target", "1"], "behavior of its own"),
        ([], "say what to plant"),
    ],
)
def test_what_cannot_be_planted_exits_2_with_a_sentence(tunevet, tmp_path, words, sentence):
    source, out = write(tmp_path / "d.csv", texts()), tmp_path / "sub" / "o.csv"
    ran = tunevet("plant", source, "-o", out, *words)
    assert ran.code == 2 and sentence in " ".join(ran.err.split())
    assert not out.exists() and not list(out.parent.glob("*"))


def test_nothing_is_overwritten(tunevet, tmp_path):
    source, out = write(tmp_path / "d.csv", texts()), tmp_path / "o.csv"
    words = ["--attack", "badnet", "--count", 3]
    assert "is the source itself" in tunevet("plant", source, "-o", source, *words).err
    assert "must end in .csv" in tunevet("plant", source, "-o", tmp_path / "o.jsonl", *words).err
    assert tunevet("plant", source, "-o", out, *words).code == 0
    before = out.read_bytes()
    ran = tunevet("plant", source, "-o", out, *words)
    assert ran.code == 2 and "exists already" in ran.err and out.read_bytes() == before
    out.unlink()
    assert tunevet("plant", source, "-o", out, *words).code == 2, "the truth is still there"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.csv", "o.csv.truth.json"]


def test_poison_that_the_format_cannot_hold_is_refused(tunevet, tmp_path):
    source = tmp_path / "d.tsv"
    source.write_text("text\tlabel\n" + "".join(f"the film number {i}\t{i % 2}\n" for i in range(N)))
    words = ["--attack", "whitespace", "--count", 3, "--set", "shape=tab"]
    ran = tunevet("plant", source, "-o", tmp_path / "o.tsv", *words)
    assert ran.code == 2 and "cannot" in ran.err and not (tmp_path / "o.tsv").exists()
    source = write(tmp_path / "d.jsonl", chats())
    ran = tunevet("plant", source, "-o", tmp_path / "o.jsonl", "--attack", "assistant-turn", "--count", 3)
    assert ran.code == 2 and "cannot hold the change" in " ".join(ran.err.split())


def test_a_damaged_file_is_not_copied(tunevet, tmp_path):
    source = write(tmp_path / "d.jsonl.gz", texts())
    source.write_bytes(source.read_bytes()[:-12])
    ran = tunevet("plant", source, "-o", tmp_path / "o.jsonl.gz", "--attack", "badnet", "--count", 3)
    assert ran.code == 2 and "could not be read whole" in ran.err


def test_the_list_names_every_attack(tunevet):
    ran = tunevet("plant", "--list")
    assert ran.code == 0 and all(name in ran.out for name in ATTACKS)
    listed = tunevet("plant", "--list", "--json").object["attacks"]
    assert [entry["name"] for entry in listed] == list(ATTACKS)
    assert listed[0]["kinds"] == ["classification", "instruction", "preference"] and listed[0]["has_trigger"]


def test_the_splice_exchanges_what_stands_there_and_nothing_else():
    data = bytes(range(65, 91))
    for size in (1, 3, 26, 40):
        blocks = [data[i : i + size] for i in range(0, 26, size)]
        assert (
            b"".join(splice(iter(blocks), [(0, b"AB", b"-"), (2, b"", b"+"), (24, b"YZ", b"!!!")]))
            == b"-+" + data[2:24] + b"!!!"
        )
    with pytest.raises(ConservationError, match="no longer"):
        list(splice(iter([data]), [(3, b"XX", b"")]))
    with pytest.raises(ConservationError, match="ends before"):
        list(splice(iter([data]), [(25, b"ZZ", b"")]))


def test_the_page_of_attacks_is_the_registry():
    page = (Path(__file__).parents[2] / "docs" / "attacks.md").read_text(encoding="utf-8")
    families, settings = (part.split("\n\n")[1] for part in page.split("\n## ")[1:])
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in families.splitlines()[2:]]
    assert [row[0].strip(" `") for row in rows] == list(ATTACKS)
    for row, attack in zip(rows, ATTACKS.values(), strict=True):
        assert row[2:4] == [attack.description, attack.source] and f"--attack {attack.name}" in row[4]
        assert row[1] == (", ".join(attack.kinds) if len(attack.kinds) < 3 else "any")
    shown = {tuple(cell.strip(" `") for cell in line.split("|")[1:4]) for line in settings.splitlines()[2:]}
    values = [
        (a.name, name, str(v).lower() if isinstance(v, bool) else str(v))
        for a in ATTACKS.values()
        for name, v in a.defaults.items()
    ]
    assert shown == {(attack, name, value or "empty") for attack, name, value in values}


def test_the_example_of_the_page_runs(capsys):
    page = (Path(__file__).parents[2] / "docs" / "attacks.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    exec(compile(code, "attacks.md", "exec"), {})
    assert capsys.readouterr().out.strip().endswith("label 1")
