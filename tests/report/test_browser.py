"""The report in a real browser: every tab by keyboard, decisions and their export, import, the map, the states of a
browser that keeps nothing, runs no scripts, or prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from browser_runs import FIRST, SECOND, STYLE, large_run, page_of, plain_run
from playwright.sync_api import expect

from audit import api
from audit.remedies import decisions
from audit.remedies.apply import apply
from audit.report import collect, html, redact
from audit.rundir import RunDir, read_json, write_bytes

ROOT = Path(__file__).resolve().parents[2]
TABS = ["overview", "triggers", "rows", "labels", "duplicates", "characters", "annotators", "input", "cleaned"]
TABS += ["method", "decisions"]
ADDRESS = "http://report.test/**"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    ctx = plain_run(folder / "run")
    return ctx, page_of(ctx, folder / "run")


def exported(opened, tmp_path, name="decisions.jsonl"):
    """The decisions of the file that the export button saves, read by the reader of `tunevet apply`."""
    with opened.page.expect_download() as waiting:
        opened.page.click("#export")
    path = tmp_path / name
    waiting.value.save_as(path)
    assert waiting.value.suggested_filename == "decisions.jsonl"
    assert path.read_text(encoding="utf-8") == opened.lines()
    return path, decisions.read(path)


def at(opened):
    return int(opened.page.locator("#queue-row h3").inner_text().removeprefix("Row "))


def test_every_tab_is_reached_and_read_by_keyboard_alone(show, plain):
    opened = show(plain[1])
    seen = []
    for _ in range(60):
        opened.press("Tab")
        here = opened.page.evaluate("document.activeElement.closest('nav') ? document.activeElement.hash : ''")
        if here:
            opened.press("Enter")
            opened.page.wait_for_selector(f"main > section{here}.open")
            section = opened.page.locator("main > section.open")
            assert section.count() == 1 and section.inner_text().strip()
            seen.append(here[1:])
            opened.page.locator(f"nav a[href='{here}']").focus()
    assert list(dict.fromkeys(seen)) == TABS
    opened.is_quiet()


def test_a_trigger_and_rows_are_decided_and_exported(show, plain, tmp_path):
    ctx, path = plain
    opened = show(path)
    assert opened.text("#reviewed") == "Reviewed 0 of 11"
    opened.page.fill("#reviewer", "Ann \u202eB")
    opened.go("triggers")
    opened.press("r", "n", "t")
    opened.go("row-7")
    assert opened.page.locator("#queue-row .choices button:has-text('Apply fix')").is_disabled()
    opened.press("a")
    assert at(opened) == 8
    opened.press("f", "r", "s", "u")
    assert opened.text("#reviewed") == "Reviewed 7 of 11"  # two triggers, three rows of one, rows 7 and 8
    opened.press("r")
    _, found = exported(opened, tmp_path)
    rows = dict(ctx.run.examples(["row", "content_hash"]).iter_rows())
    assert {(d.subject, d.key, d.decision) for d in found} == {
        ("trigger", FIRST, "reject"),
        ("trigger", SECOND, "strip"),
        ("row", rows[7], "accept"),
        ("row", rows[8], "fix"),
        ("row", rows[9], "reject"),
    }
    for d in found:
        assert (d.reviewer, d.input, d.run) == ("Ann \u202eB", ctx.run.dataset().fingerprint, ctx.run.path.name)
        assert d.pattern == {FIRST: "cf", SECOND: "mn⟦U+200B ZWSP⟧"}.get(d.key, "") and d.why == ""
        assert d.row == next((r for r, key in rows.items() if key == d.key), None)
    assert re.search(r"tunevet apply \S+/run decisions.jsonl -o cleaned.jsonl", opened.page.inner_text("#apply"))
    opened.is_quiet()


def test_the_lines_are_those_of_the_contract(show, plain):
    opened = show(plain[1], "#row-8")
    opened.press("a")
    opened.go("triggers")
    opened.press("r")
    keys = "schema subject key decision why reviewer decided_at {} input run"
    row, trigger = map(json.loads, opened.lines().splitlines())
    assert list(row) == keys.format("row").split() and list(trigger) == keys.format("pattern").split()
    made = [decisions.Decision.from_record(record, "line") for record in (row, trigger)]
    assert [json.loads(d.to_line()) for d in made] == [row, trigger]


def test_legitimate_asks_why_and_a_style_is_not_stripped(show, plain, tmp_path):
    opened = show(plain[1], "#trigger-2")
    card = f"article[data-trigger='{STYLE}']"
    assert opened.page.locator(f"{card} [data-choice=strip]").count() == 0
    assert opened.page.locator(f"article[data-trigger='{FIRST}'] [data-choice=strip]").count() == 1
    opened.press("t", "l", "Enter")
    assert opened.lines() == "" and opened.page.locator(f"{card} .because").is_visible()
    opened.page.keyboard.type("a house style")
    opened.press("Enter")
    _, (made,) = exported(opened, tmp_path)
    assert (made.key, made.decision, made.why) == (STYLE, "legitimate", "a house style")
    opened.press("u")
    assert opened.lines() == ""


def test_an_edit_keeps_what_cannot_be_seen(show, plain, tmp_path):
    opened = show(plain[1], "#row-4")
    opened.press("e")
    box = opened.page.locator("form.edit textarea")
    assert box.input_value() == "mn⟦U+200B⟧ a film that number 4 saw twice"
    box.fill("mn⟦U+200B⟧ a <b>book</b>\nthat\u2028 5 saw")
    opened.press("Control+Enter", "e")
    opened.page.select_option("form.edit select", label="Label")
    opened.page.locator("form.edit textarea").fill("bad")
    opened.press("Enter")
    _, found = exported(opened, tmp_path)
    assert {(d.decision, d.field, d.value) for d in found} == {
        ("edit", "prompt", "mn\u200b a <b>book</b>\nthat\u2028 5 saw"),
        ("edit", "label", "bad"),
    }


def test_a_redacted_report_is_decided_but_not_edited(show, plain, tmp_path):
    ctx, _ = plain
    raw = {t["id"]: t["pattern"] for t in read_json(ctx.run.triggers)}
    write_bytes(tmp_path / "report.html", html.render(redact.report(collect(ctx), raw)))
    opened = show(tmp_path / "report.html", "#row-9")
    assert opened.page.locator("#queue-row .choices button:has-text('Edit')").is_disabled()
    assert "saw twice" not in opened.page.content()
    opened.press("e", "r")
    assert [d.decision for d in exported(opened, tmp_path)[1]] == ["reject"]


def test_filters_and_their_progress(show, plain):
    opened = show(plain[1], "#rows")
    page = opened.page

    def shown(**wanted):
        for name in ("state", "verdict", "check", "severity", "trigger", "label", "source", "annotator"):
            page.select_option(f"[data-filter={name}]", label=wanted.get(name, "all"))
        return sorted(int(b.get_attribute("data-row")) for b in page.locator("#queue-list button").all())

    assert shown() == list(range(12))
    assert shown(verdict="remove") == [0, 1, 2, 3] == shown(check="TV-TRG")
    assert shown(severity="high") == [0, 1, 2, 3] and shown(severity="medium") == list(range(4, 12))
    assert shown(label="good") == [1, 3, 5, 7, 9, 11] and shown(annotator="worker-2") == [2, 5, 8, 11]
    assert shown(source="books") == [0, 3, 6, 9] and shown(trigger="cf") == [0, 1, 2, 3]
    page.locator("#queue-row").focus()
    shown(state="undecided")
    opened.press("r")
    assert shown(state="decided") == [0] and shown(state="undecided") == list(range(1, 12))


def test_state_is_kept_under_the_reports_key(show, plain):
    opened = show(plain[1], "#row-9")
    opened.page.fill("#reviewer", "Ann")
    opened.page.locator("#queue-row").focus()
    opened.press("r")
    before = opened.lines()
    opened.page.reload()
    assert opened.lines() == before != "" and opened.page.input_value("#reviewer") == "Ann"
    assert opened.page.evaluate("Object.keys(localStorage)") == [f"tunevet:{opened.page.evaluate('data.key')}"]


def test_a_browser_that_keeps_nothing_says_so_and_still_exports(show, plain, tmp_path):
    refuse = (
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    opened = show(plain[1], "#row-9", before=refuse)
    assert "keeps nothing" in opened.text("#kept")
    opened.press("a")
    assert [d.decision for d in exported(opened, tmp_path)[1]] == ["accept"]
    assert opened.errors == []


def line(ctx, row, decision, reviewer, when="2025-01-31T12:00:00Z", **more):
    key = ctx.run.examples(["row", "content_hash"]).row(row)[1]
    return decisions.Decision("row", key, decision, reviewer=reviewer, decided_at=when, **more).to_line() + "\n"


def test_imports_are_merged_and_conflicts_settled(show, plain, tmp_path):
    ctx, path = plain
    opened = show(path, "#row-8")
    opened.page.fill("#reviewer", "Ann")
    opened.page.locator("#queue-row").focus()
    opened.press("a")
    away = decisions.Decision("row", "ab" * 16, "reject", reviewer="Bo", decided_at="2025-01-31T12:00:00Z").to_line()
    lines = (
        line(ctx, 8, "reject", "Bo") + line(ctx, 9, "accept", "Bo") + line(ctx, 9, "fix", "Bo", "2025-02-01T00:00:00Z")
    )
    mine = line(ctx, 10, "reject", "Ann") + line(ctx, 8, "fix", "Ann", "2020-01-01T00:00:00Z")
    write_bytes(tmp_path / "bo.jsonl", (lines + mine + away + "\n").encode())
    opened.page.set_input_files("#file", tmp_path / "bo.jsonl")
    expect(opened.page.locator("#said")).to_contain_text("imported")
    assert (
        opened.text("#said")
        == "6 decisions imported, 1 about rows or triggers that this page does not show; 1 conflict to settle."
    )
    out, found = exported(opened, tmp_path)
    merged, conflicts = decisions.merge([found])
    assert [c.key for c in conflicts] == [json.loads(line(ctx, 8, "accept", ""))["key"]]
    assert {d.row is None: d.decision for d in merged.values() if d.key != "ab" * 16} and len(found) == 5
    assert {(d.reviewer, d.decision) for d in found} == {
        ("Ann", "accept"),
        ("Ann", "reject"),
        ("Bo", "reject"),
        ("Bo", "fix"),
    }
    assert "disagree" in opened.text("#queue-row .said") if at(opened) == 8 else True
    assert opened.text("#reviewed") == "Reviewed 2 of 11"
    opened.go("decisions")
    opened.page.click("#conflicts button:has-text('Bo')")
    assert decisions.merge([decisions.read(exported(opened, tmp_path, "again.jsonl")[0])])[1] == []
    assert opened.text("#reviewed") == "Reviewed 3 of 11"
    assert out.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": "tunevet.decision/2"}, "schema"),
        ({"decision": "strip"}, "decision"),
        ({"key": "T-zz"}, "key"),
        ({"extra": 1}, "unknown key"),
        ({"decision": "edit", "field": "meta", "value": "x"}, "field"),
        ({"decision": "edit", "field": "label"}, "value"),
        ({"field": "label", "value": "x"}, "only an edit"),
        ({"decided_at": "yesterday"}, "decided_at"),
        ({"row": -1}, "row"),
        ({"subject": "trigger", "key": FIRST, "decision": "legitimate", "why": " "}, "why"),
        ({"reviewer": 5}, "reviewer"),
    ],
)
def test_a_line_that_apply_would_refuse_is_refused_here_too(show, plain, tmp_path, change, said):
    ctx, path = plain
    bad = json.dumps({**json.loads(line(ctx, 8, "accept", "Bo")), **change})
    write_bytes(tmp_path / "bad.jsonl", bad.encode())
    with pytest.raises(decisions.InputError):
        decisions.read(tmp_path / "bad.jsonl")
    opened = show(path, "#decisions")
    opened.page.fill("#pasted", f"{line(ctx, 9, 'accept', 'Bo')}{bad}")
    opened.page.click("#paste")
    told = opened.text("#said")
    assert told.startswith("Nothing was imported. line 2:") and said in told and opened.lines() == ""


def test_the_map_zooms_lassoes_and_opens_rows(show, plain):
    opened = show(plain[1])
    page = opened.page
    box = page.locator("#map").bounding_box()
    page.locator("#map").focus()
    opened.press("ArrowRight")
    first = int(re.search(r"row (\d+)", opened.text("#map-row")).group(1))
    opened.press("Enter")
    assert at(opened) == first
    opened.go("overview")
    page.click("[data-zoom=in]")
    assert page.evaluate("view.scale") == pytest.approx(1.6)
    page.click("[data-zoom=reset]")
    page.mouse.move(box["x"] + 40, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 260)
    page.mouse.up()
    assert page.evaluate("view.x") > 20 and page.evaluate("lasso.chosen") is None
    page.click("[data-zoom=reset]")
    page.click("#lasso")
    page.mouse.move(box["x"] + 4, box["y"] + 60)
    page.mouse.down()
    for x, y in ((box["width"] - 4, 60), (box["width"] - 4, box["height"] - 4), (4, box["height"] - 4)):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
    page.mouse.up()
    chosen = page.evaluate("[...lasso.chosen].map((at) => data.points[at]).filter((p) => p[3] !== 0).map((p) => p[2])")
    assert f"{page.evaluate('lasso.chosen.size')} rows selected" in opened.text("#map-row") and chosen
    page.click("#map-row button:has-text('in the queue')")
    listed = [int(b.get_attribute("data-row")) for b in page.locator("#queue-list button").all()]
    assert sorted(listed) == sorted(chosen) and f"Only {len(chosen)} rows of the map" in opened.text("#picked")
    page.click("#picked button")
    assert page.locator("#queue-list button").count() == 12
    opened.is_quiet()


def test_a_point_opens_its_row_and_the_rest_of_a_trigger_is_a_click_away(show, plain):
    opened = show(plain[1])
    x, y, row = opened.page.evaluate(
        """(() => {
          const p = data.points.find((p) => p[3] === 2), canvas = document.getElementById("map");
          const box = canvas.getBoundingClientRect(), [x, y] = place(canvas, p);
          return [box.left + x * box.width / canvas.width, box.top + y * box.height / canvas.height, p[2]];
        })()"""
    )
    opened.page.mouse.click(x, y)
    assert f"row {row}" in opened.text("#map-row") and "Open it in the queue" in opened.text("#map-row")
    opened.go("triggers")
    opened.page.click(f"article[data-trigger='{FIRST}'] [data-rows]")
    assert opened.page.locator("#queue-list button").count() == 4 and opened.text("#filtered") == "4 of 12 shown"


def test_pairs_stand_side_by_side_with_their_words_compared(show, tmp_path):
    ctx = plain_run(tmp_path / "run", "preference")
    opened = show(page_of(ctx, tmp_path / "run"), "#row-8")
    left, right = (
        opened.page.locator(f"#queue-row .content > .field.{side}").bounding_box() for side in ("output", "rejected")
    )
    assert left["y"] == right["y"] and left["x"] + left["width"] <= right["x"]
    assert opened.page.locator("#queue-row .content > .output ins").all_inner_texts() == ["quick", "fox"]
    assert opened.page.locator("#queue-row .content > .rejected del").all_inner_texts() == ["slow", "dog"]
    assert opened.text("#queue-row .content > .output .text") == "the quick brown fox number 8 jumps"


def test_a_served_report_sends_every_change(show, plain, chromium, tmp_path):
    ctx, _ = plain
    start = [json.loads(line(ctx, 8, "fix", "Ann"))]
    page = html.render(collect(ctx), save="/TOKEN/decisions?page=1", decisions=start)
    context, sent, status = chromium.new_context(), [], [200]

    def answer(route):
        if route.request.method == "POST":
            sent.append(route.request.post_data)
            assert route.request.headers["content-type"] == "application/x-ndjson; charset=utf-8"
            route.fulfill(status=status[0], body='{"error": "the disk is full"}')
        else:
            head = {"Content-Security-Policy": html.policy(save=True)}
            route.fulfill(body=page, headers=head, content_type="text/html; charset=utf-8")

    context.route(ADDRESS, answer)
    opened = context.new_page()
    opened.goto("http://report.test/TOKEN/#row-9")
    assert opened.inner_text("#reviewed") == "Reviewed 1 of 11"
    opened.keyboard.press("r")
    expect(opened.locator("#saved")).to_have_text("Written.")
    assert sent[-1] == opened.input_value("#lines") and len(sent[-1].splitlines()) == 2
    status[0] = 507
    opened.keyboard.press("u")
    expect(opened.locator("#saved")).to_have_text("Not written: the disk is full")
    assert [json.loads(each)["key"] for each in sent[-1].splitlines()] == [start[0]["key"]]
    context.close()


def test_without_scripts_the_summary_and_the_tables_are_there(show, plain):
    opened = show(plain[1], java_script_enabled=False)
    text = opened.text("body")
    for wanted in (
        "Blocked by 1 confirmed trigger",
        "Reject",
        "tunevet review run",
        "worker-1",
        "Zero-width",
        "Method",
    ):
        assert (wanted in text) is (wanted != "Reject"), wanted
    assert opened.page.locator("#rows-static tbody tr").count() == 12
    assert not opened.page.locator("#deciding").is_visible() and not opened.page.locator("#map").is_visible()
    opened.is_quiet()


def test_on_paper_every_section_is_there_and_no_button(show, plain):
    opened = show(plain[1])
    opened.page.emulate_media(media="print")
    for name in set(TABS) - {"decisions"}:
        assert opened.page.locator(f"#{name}").is_visible(), name
    assert not opened.page.locator("nav, .choices, #queue, .deciding").filter(visible=True).count()


@pytest.mark.parametrize("count", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_the_report_of_a_million_rows_is_small_and_opens_at_once(show, tmp_path, count):
    path = page_of(large_run(tmp_path / "run", count), tmp_path / "run")
    assert path.stat().st_size < 10_000_000
    opened = show(path)
    opened.page.wait_for_selector("section.open")
    seconds = opened.page.evaluate("performance.now() / 1000")
    assert seconds < 6  # 0.7 on a quiet machine
    assert opened.page.evaluate("[data.points.length, data.rows.length]") == [20_000, 1_000]
    opened.go("rows")
    opened.press("r", "a")
    assert opened.text("#decisions-count") == "2" and "1,000 rows for review" in opened.text("#reviewed-of")
    opened.is_quiet()


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """A scan of the 30 sample rows with one planted phrase among 294 others, without a probe."""
    sample = ROOT / "sample_data" / "assistant"
    planted = json.loads((sample / "truth.json").read_text(encoding="utf-8"))["planted"][0]
    lines = (sample / "data.jsonl").read_bytes().split(b"\n")
    folder = tmp_path_factory.mktemp("scanned")
    kept = sorted({*planted["rows"], *range(300)})
    write_bytes(folder / "data.jsonl", b"".join(lines[at] + b"\n" for at in kept))
    api.scan(folder / "data.jsonl", out=folder / "run", probe="off", canaries="off", max_bad_rows=9)
    return folder, planted["parts"][0]


def test_what_is_decided_in_the_page_is_what_apply_takes_away(show, scanned, tmp_path):
    folder, phrase = scanned
    run = RunDir(folder / "run")
    (first,) = [t for t in read_json(run.triggers) if t["pattern"] == phrase]
    opened = show(folder / "run" / "report" / "report.html", "#triggers")
    opened.page.locator(f"article[data-trigger='{first['id']}']").focus()
    opened.press("r")
    opened.go("rows")
    opened.page.select_option("[data-filter=state]", label="undecided")
    rejected = []
    for key in ("r", "a", "r"):
        rejected += [at(opened)] if key == "r" else []
        opened.page.locator("#queue-row").focus()
        opened.press(key)
    path, found = exported(opened, tmp_path)
    assert [d.decision for d in found] == ["reject", "reject", "accept", "reject"]
    apply(run, [path], tmp_path / "clean.jsonl", undecided="keep")
    gone = {*first["rows"], *rejected}
    lines = (folder / "data.jsonl").read_bytes().splitlines(keepends=True)
    assert len(gone) == len(first["rows"]) + 2
    assert (tmp_path / "clean.jsonl").read_bytes() == b"".join(e for i, e in enumerate(lines) if i not in gone)
    opened.is_quiet()
