"""The report stage on small real run directories."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hostile_rows import HOSTILE
from report_runs import add_check, add_findings, add_triggers, make_run, trigger

from audit.report import build, collect, html, markdown
from audit.report.excerpt import excerpt
from audit.report.record import MAX_POINTS
from audit.rundir import write_json
from audit.text import is_invisible

VOID = {"meta", "link", "input", "br", "img", "hr", "base"}


class Page(HTMLParser):
    """The elements of a page with their attributes' names, what scripts and styles hold, and the text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.inside, self.raw, self.chips, self.open = Counter(), [], {}, 0, []
        self.attributes = []
        self.text = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        found = dict(attrs)
        self.attributes += [(tag, name, value) for name, value in attrs]
        shown_in = (found.get("class") or "").split(" ")[0]
        if tag == "mark" or (tag == "span" and shown_in in ("chip", "clip")):
            assert set(found) <= {"class"}  # how text is shown depends on its characters; the rest may not
            self.chips += shown_in == "chip"
            return
        self.elements[(tag, tuple(sorted(found)))] += 1

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.raw.setdefault(self.open[-1], []).append(data)
        else:
            self.text.append(data)


def full_run(path, texts, label="positive", name="reviews", tail=""):
    """A run in which every slot that the input can write to holds one of `texts`."""

    def pick(i):
        return texts[i % len(texts)]

    rows = [
        {
            "prompt": f"{pick(i)}{tail}",
            "label": f"{label}{i % 2}",
            "source": pick(i % 3),
            "annotator": pick(i % 4 + 3),
            "created_at": "2025-01-02",
        }
        for i in range(2 * len(HOSTILE))
    ]
    first = trigger(pick(0), [0, 1, 2, 3], behavior=pick(4), reason=pick(5), kind=pick(6), parts=[])
    first.probe["controls"] = [{"pattern": text, "asr": 0.01} for text in texts[:20]]
    second = trigger(pick(1), [4, 5, 6], "suspected", probe=None, statistics={})
    third = trigger(pick(2), [7], "refuted", reason=pick(8))
    verdicts = {
        i: {"verdict": "review", "score": 0.9 - i / 1000, "codes": ["TV-OUT", pick(i)]} for i in range(len(rows) // 2)
    }
    verdicts[0] = {"verdict": "remove", "score": 1.0, "codes": ["TV-OUT"], "trigger_ids": [first.id]}
    verdicts[9] = {"verdict": "review", "score": 0.5, "codes": ["TV-LAB"], "fix": "relabel", "new_value": pick(9)}
    bad = [{"reason": "invalid_utf8", "detail": pick(10), "raw": pick(i).encode()} for i in range(3)]
    ctx = make_run(path, rows, verdicts, bad=bad, name=name)
    add_check(
        ctx.run, "outliers", {i: {"score": i / 10, "evidence": pick(i), "start": 0, "end": 1} for i in range(60)}, 3.0
    )
    signals = {9: {"score": 0.9, "fix": "relabel", "new_value": pick(9), "evidence": pick(11)}}
    add_check(ctx.run, "label_noise", signals, 0.5, code="TV-LAB", title=pick(12), source=pick(13), misses=pick(14))
    write_json(ctx.run / "failed" / "detect-rare.json", {"stage": "detect", "unit": "rare", "error": pick(15)})
    found = [
        {"check": "near_duplicates", "text": pick(i), "subject": f"cluster {i}", "rows": [i, i + 1]} for i in range(4)
    ]
    add_findings(ctx.run, [*found, *({"text": pick(i), "subject": pick(i), "rows": [i]} for i in range(len(texts)))])
    add_triggers(ctx.run, [second, third, first])
    return ctx


def built(ctx):
    made = {path.name: path for path in build(ctx, "all")}
    return [made[name].read_text(encoding="utf-8") for name in ("report.html", "summary.md", "report.json")]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The reports of a hostile run and of one that is the same but for its letters."""
    folder = tmp_path_factory.mktemp("runs")
    letters = {c: chr(0x4E00 + at) for at, c in enumerate(sorted(set("".join(HOSTILE))))}
    benign = ["".join(letters[c] for c in text) for text in HOSTILE]
    return built(full_run(folder / "hostile", list(HOSTILE))), built(full_run(folder / "benign", benign))


def test_hostile_text_adds_no_element_and_no_attribute(pages):
    (hostile, _, _), (benign, _, _) = pages
    ours, theirs = Page(hostile), Page(benign)
    assert ours.elements == theirs.elements
    assert ours.chips > 50 and theirs.chips == 0
    assert not [a for a in ours.attributes if a[1].startswith("on") or a[1] in ("style", "srcdoc", "src", "action")]
    assert {a[2] for a in ours.attributes if a[1] == "href" and not a[2].startswith("#")} == {"data:,"}


def test_no_invisible_character_stands_raw_in_any_output(pages):
    for text in pages[0]:
        assert [hex(ord(c)) for c in set(text) if is_invisible(c)] == []


def test_the_policy_lets_only_our_own_style_and_script_run(pages):
    page = Page(pages[0][0])
    policy = next(v for t, n, v in page.attributes if t == "meta" and n == "content" and "default-src" in v)

    def digest(text):
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    (style,), (data, script) = page.raw["style"], page.raw["script"]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest(style)}'; script-src 'sha256-{digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", script)
    assert not re.search(r"https?:|@import|url\(", script + style)
    assert len(json.loads(data)["rows"]) == len(HOSTILE)


def test_the_data_block_cannot_end_its_element(pages):
    block = pages[0][0].split('id="data">')[1].split("</script>")[0]
    assert not set("<>&'\u2028\u2029") & set(block)
    shown = [
        "".join(p if isinstance(p, str) else p[0] for p in row["fields"][0][2][0]) for row in json.loads(block)["rows"]
    ]
    assert any("</script><script>alert(2)</script>" in text for text in shown)


def test_hostile_text_is_still_there_as_text(pages):
    text = "".join(Page(pages[0][0]).text)
    for wanted in (
        "<script>alert(1)</script>",
        "{{ 7*7 }}",
        "=cmd|'/C calc'!A0",
        "U+202E RLO",
        "U+001B ESC",
        "U+2028 LSEP",
    ):
        assert wanted in text


def test_the_summary_keeps_row_text_in_code_spans(pages):
    lines = pages[0][1].splitlines()
    assert len(lines) <= 60 and "`report/report.html`" in lines[-1]
    for line in lines:
        assert line.count("`") % 2 == 0
        outside = re.sub(r"`[^`]*`", "", line)
        assert not re.search(r"<|\{\{|alert|evil|javascript", outside), line


def test_a_code_span_cannot_be_ended():
    shown = markdown.code("a`b\n`` | \u202e")
    assert shown == "`aˋb⏎ˋˋ ¦ ⟦U+202E⟧`" and markdown.code("") == "` `"


def test_two_reports_of_one_run_differ_in_one_field(tmp_path, monkeypatch):
    ctx = full_run(tmp_path / "run", list(HOSTILE[:5]))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = built(ctx)
    assert built(ctx) == first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    second = built(ctx)
    for one, two in zip(first, second, strict=True):
        assert one.count("2023-11-14 22:13:20 UTC") == 1
        assert two == one.replace("2023-11-14 22:13:20 UTC", "2027-01-15 08:00:00 UTC")


def test_renders_with_every_optional_thing_missing(tmp_path):
    ctx = make_run(tmp_path / "run", [{"prompt": "only one"}], optional=False)
    page, summary, machine = built(ctx)
    text = " ".join("".join(Page(page).text).split())
    for wanted in (
        "No check left a result",
        "No map: the run holds no embeddings",
        "No pattern is confirmed",
        "Every record",
    ):
        assert wanted in text
    assert "No trigger is confirmed" in summary
    report = json.loads(machine)
    assert report["verdict"] == "pass" and report["schema_version"] == 1 and report["triggers"] == []


def test_a_trigger_without_figures_says_not_measured(tmp_path):
    ctx = make_run(tmp_path / "run", [{"prompt": f"cf {i}"} for i in range(4)])
    add_triggers(ctx.run, [trigger("cf", [0, 1], "suspected", statistics={}, probe={}, behavior="")])
    text = " ".join("".join(Page(built(ctx)[0]).text).split())
    assert "no probe was trained for this pattern" in text and "It has not been tried on a probe." in text
    assert text.count("not measured") >= 8


def test_counts_gate_and_checks_are_shown_without_scripts(tmp_path):
    ctx = full_run(tmp_path / "run", ["plain text"])
    page = Page(built(ctx)[0])
    text = " ".join("".join(page.text).split())
    assert "Blocked by 1 confirmed trigger" in text
    assert "4 of 4 rows with “plain text” show one behavior" in text
    assert (
        "flips 96% of held-out inputs, and 4% where its rows were left out; the strongest of 1 natural controls adds 2%"
        in text
    )
    assert "What this audit cannot see" in text and "0.001% of all tokens" in text
    assert "TV-OUT" in text and "failed" in text


def test_the_page_stays_under_its_bound_whatever_the_rows_hold(tmp_path):
    long = ["<&'\"中\u200b" * 300, "😀\u202e" * 900, "x" * 2_000]
    rows = [
        {
            "prompt": long[i % 3],
            "response": long[(i + 1) % 3],
            "rejected": long[(i + 2) % 3],
            "source": long[0] + str(i % 9),
            "annotator": long[1] + str(i % 90),
        }
        for i in range(1_050)
    ]
    verdicts = {i: {"verdict": "review", "score": 1 - i / 9_999, "codes": ["TV-OUT"]} for i in range(len(rows))}
    ctx = make_run(tmp_path / "run", rows, verdicts, kind="preference")
    evidence = {i: {"score": 9.0, "evidence": long[i % 3]} for i in range(len(rows))}
    for name in ("outliers", "label_noise", "rare_tokens", "unicode_anomaly"):
        add_check(ctx.run, name, evidence, 3.0)
    add_triggers(ctx.run, [trigger(long[i % 3] + str(i), [i, i + 1, i + 2, i + 3, i + 4]) for i in range(90)])
    channel = {"check": "unicode_anomaly", "text": long[0], "severity": "high", "rows": list(range(200))}
    add_findings(ctx.run, [{**channel, "subject": f"{long[0]} {i}"} for i in range(100)])
    report = collect(ctx)
    assert len(report.rows) == 1_000 and report.rows_flagged == 1_050 and len(report.channels) == 40
    crowd = [replace(report.map.points[i % 3], text=excerpt(long[i % 3], (), 60)) for i in range(MAX_POINTS)]
    report = replace(report, map=replace(report.map, points=tuple(crowd)))
    page = html.render(report).decode()
    assert len(page.encode()) < 10_000_000
    block = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert len(block["rows"]) == 1_000 and len(block["points"]) == MAX_POINTS  # nothing had to be left out

    worst = replace(report, rows=tuple(replace(row, why=9 * row.why) for row in report.rows))
    page = html.render(worst).decode()
    assert len(page.encode()) < 10_000_000
    assert 60 <= len(json.loads(page.split('id="data">')[1].split("</script>")[0])["rows"]) < 1_000
