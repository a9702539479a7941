"""Pairs in a real browser: swapping and queueing, the folded prompt, marks in all texts, annotators and their rows."""

from __future__ import annotations

import json

import pytest
from browser_runs import page_of, plain_run
from pair_runs import RESPONSE, WORD, pair_run
from playwright.sync_api import expect

from audit.remedies import decisions
from audit.report import collect, html, redact
from audit.rundir import write_bytes

PROMPT = "#queue-row details.prompt"
SUMMARY = f"{PROMPT} > summary"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    ctx = pair_run(folder / "run")
    return ctx, page_of(ctx, folder / "run")


def button(opened, word):
    return opened.page.locator(f"#queue-row .choices button.{word}")


def said(opened, tmp_path):
    """The decisions that an export holds, read by the reader of `tunevet apply`, by row."""
    write_bytes(tmp_path / "d.jsonl", opened.lines().encode())
    return {d.row: d.decision for d in decisions.read(tmp_path / "d.jsonl")}


def test_pairs_are_swapped_and_queued_by_key_and_by_button(show, pairs, tmp_path):
    opened = show(pairs[1], "#row-8")
    opened.press("w")
    assert opened.text("#queue-row h3") == "Row 9"
    opened.press("l", "w")
    assert opened.text("#queue-row h3") == "Row 11"
    button(opened, "queue").click()
    assert said(opened, tmp_path) == {8: "swap", 9: "queue", 10: "swap", 11: "queue"}
    listed = {b.get_attribute("data-row"): b.inner_text() for b in opened.page.locator("#queue-list button").all()}
    assert listed["8"].startswith("swapped") and listed["9"].startswith("to re-label")
    opened.go("row-9")
    assert button(opened, "queue").get_attribute("aria-pressed") == "true"
    assert opened.text("#queue-row .said") == "Decided: Re-label."
    button(opened, "swap").click()
    assert said(opened, tmp_path)[9] == "swap"
    opened.press("u")
    assert said(opened, tmp_path)[9] == "queue"
    opened.go("decisions")
    assert "Swap sides" in opened.text("#decisions-list") and "Re-label" in opened.text("#decisions-list")
    opened.is_quiet()
    opened.page.reload()
    assert said(opened, tmp_path) == {8: "swap", 9: "queue", 10: "swap", 11: "queue"}


def test_a_tie_and_a_list_have_no_other_order(show, pairs, tmp_path):
    opened = show(pairs[1], "#row-7")
    for row in (7, 6):
        opened.go(f"row-{row}")
        assert button(opened, "swap").is_disabled()
        opened.press("w")
    assert opened.lines() == ""
    opened.press("l")
    assert said(opened, tmp_path) == {6: "queue"}


def test_rows_without_sides_are_queued_for_their_label_and_never_swapped(show, tmp_path):
    ctx = plain_run(tmp_path / "run")
    opened = show(page_of(ctx, tmp_path / "run"), "#row-8")
    assert button(opened, "swap").count() == 0 and button(opened, "queue").count() == 1
    opened.press("w")
    assert opened.lines() == ""
    opened.press("l")
    assert said(opened, tmp_path) == {8: "queue"}


def test_a_question_is_settled_by_a_later_answer_and_by_no_earlier_one(show, pairs):
    ctx, path = pairs
    keys = dict(ctx.run.examples(["row", "content_hash"]).iter_rows())

    def line(row, word, reviewer, at):
        when = f"2025-01-0{at}T00:00:00Z"
        return decisions.Decision("row", keys[row], word, reviewer=reviewer, decided_at=when).to_line()

    lines = [line(8, "queue", "ann", 1), line(8, "swap", "bob", 1), line(9, "queue", "ann", 2)]
    lines += [line(9, "accept", "bob", 1), line(10, "queue", "ann", 1), line(10, "swap", "bob", 2)]
    lines += [line(10, "reject", "cy", 3)]
    opened = show(path, "#decisions")
    opened.page.fill("#pasted", "\n".join(lines))
    opened.page.click("#paste")
    assert "7 decisions imported; 2 conflicts to settle." in opened.text("#said")
    merged, conflicts = decisions.merge([[decisions.Decision.from_record(json.loads(each), "x") for each in lines]])
    assert [d.decision for d in merged.values()] == ["swap"] and len(conflicts) == 2
    mine = opened.page.evaluate(
        "data.rows.map((row) => [row.row, (standing(`row:${row.hash}`).record || {}).decision])"
    )
    assert {row: word for row, word in mine if word} == {8: "swap"}
    shown = opened.page.evaluate("conflicts().map(([id, cast]) => cast.map((each) => each.decision))")
    assert sorted(map(sorted, shown)) == [["accept", "queue"], ["reject", "swap"]]


def test_the_prompt_is_folded_and_opened_by_keyboard(show, pairs):
    opened = show(pairs[1], "#row-0")
    assert opened.page.locator(PROMPT).get_attribute("open") is None
    assert "And the SUDO shore?" in opened.text(SUMMARY) and "3 turns" in opened.text(SUMMARY)
    assert opened.page.locator(f"{SUMMARY} mark").all_inner_texts() == ["SUDO"]
    assert not opened.page.locator(f"{PROMPT} .field").first.is_visible()
    opened.page.locator(SUMMARY).focus()
    opened.press("Enter")
    assert opened.page.locator(f"{PROMPT} .field").all_inner_texts()[0].endswith("Tell me of the sea.")
    assert opened.page.locator(f"{PROMPT} .field").first.is_visible()
    opened.press("Space")
    assert not opened.page.locator(f"{PROMPT} .field").first.is_visible()
    opened.page.locator("#queue-row").focus()
    opened.press("o")
    assert opened.page.locator(f"{PROMPT} .field").first.is_visible()
    opened.go("row-3")  # its mark stands in a turn that is not seen
    assert opened.page.locator(PROMPT).get_attribute("open") is not None
    assert opened.page.locator(f"{PROMPT} .field mark").all_inner_texts() == ["SUDO"]
    opened.go("row-8")
    assert opened.page.locator(PROMPT).count() == 0
    opened.is_quiet()


def test_a_token_of_the_responses_is_marked_in_both(show, pairs):
    opened = show(pairs[1], "#row-4")
    assert opened.page.locator("#queue-row .content > .output mark").all_inner_texts() == ["Zorblax"]
    assert opened.page.locator("#queue-row .content > .rejected mark").all_inner_texts() == ["zorblax"]
    assert "zorblax" in opened.text("#queue-row a[href='#trigger-1']")
    opened.go("triggers")
    cards = opened.page.locator("article[data-trigger]").all()
    assert [card.get_attribute("data-trigger") for card in cards] == [WORD, RESPONSE]
    assert "79 of 115 pairs (69%); base rate 38%" in cards[0].inner_text()
    assert "winning side in 61 of 61 pairs" in cards[1].inner_text()
    assert "base rate" in cards[1].locator("table.two").inner_text()


@pytest.mark.parametrize(("width", "beside"), [(1360, True), (400, False)])
def test_sides_stand_beside_each_other_or_one_below_the_other(show, pairs, width, beside):
    opened = show(pairs[1], "#row-8", viewport={"width": width, "height": 900})
    left, right = (
        opened.page.locator(f"#queue-row .content > .{side}").bounding_box() for side in ("output", "rejected")
    )
    assert (left["y"] == right["y"]) is beside and (left["x"] == right["x"]) is not beside
    for tab in ("rows", "labels", "annotators", "triggers", "overview"):
        opened.go(tab)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width, tab


def test_words_are_compared_and_spaces_go_with_their_words(show, tmp_path):
    ctx = pair_run(tmp_path / "run")
    opened = show(page_of(ctx, tmp_path / "run"), "#row-8")
    pair = """([one, two]) => {
      const nodes = pairNodes([[one], one.length, one.length, 0], [[two], two.length, two.length, 0]);
      return nodes.map((node) => [...node.querySelectorAll("ins, del")].map((each) => each.textContent));
    }"""
    assert opened.page.evaluate(pair, ["a big red fox", "a dog"]) == [["big red fox"], ["dog"]]
    assert opened.page.evaluate(pair, ["one  two", "one two"]) == [[], []]
    assert opened.page.evaluate(pair, ["same", "same"]) == [[], []]
    assert opened.page.evaluate(pair, ["", "new words"]) == [[], ["new words"]]
    apart = [" ".join(f"{side}{i}" for i in range(50)) for side in "ab"]
    assert opened.page.evaluate(pair, apart) == [[], []]
    shared = [" ".join(f"{side if i % 2 else ''}{i}" for i in range(50)) for side in "ab"]
    assert [len(each) for each in opened.page.evaluate(pair, shared)] == [25, 25]


def test_what_is_known_of_a_pair_stands_above_its_sides(show, pairs):
    opened = show(pairs[1], "#row-10")
    facts = opened.page.locator("#queue-row .known li").all_inner_texts()
    assert facts == [
        "The other pairs prefer neither side.",
        "Scored 10 (chosen) and 10 (rejected).",
        "The rejected side was shown first.",
    ]
    known, side = (
        opened.page.locator(f"#queue-row .content > {each}").bounding_box() for each in (".known", ".output")
    )
    assert known["y"] + known["height"] <= side["y"]


def test_a_ranked_list_opens_in_order(show, pairs):
    opened = show(pairs[1], "#row-6")
    opened.page.locator("#queue-row details.ranking summary").focus()
    assert opened.text("#queue-row details.ranking summary") == "All 4 responses of the list, best first"
    opened.press("Enter")
    items = opened.page.locator("#queue-row .ranked li").all_inner_texts()
    assert [item.split("\n") for item in items] == [
        ["1", "the best", "chosen"],
        ["2", "the middle"],
        ["2", "a like one"],
        ["4", "the worst", "rejected"],
    ]


def test_an_annotator_leads_to_the_table_and_the_table_to_the_rows(show, pairs):
    opened = show(pairs[1], "#row-7")
    opened.page.click("#queue-row header a")
    expect(opened.page.locator("#annotators")).to_have_class("open")
    line = opened.page.locator("#annotator-0")
    assert line.evaluate("(row) => row === document.activeElement") and "worker-1" in line.inner_text()
    assert "not checked" in line.inner_text() and "none" in line.inner_text()  # bursts; exposure
    line.locator("[data-person]").click()
    shown = [int(b.get_attribute("data-row")) for b in opened.page.locator("#queue-list button").all()]
    assert shown == [1, 4, 7, 10] and opened.text("#filtered") == "4 of 12 shown"
    assert opened.page.locator("[data-filter=annotator] option:checked").inner_text() == "worker-1"
    opened.go("annotators")
    text = opened.text("#annotators")
    assert text.index("worker-1") < text.index("worker-0") < text.index("worker-2")
    assert "worker-1 and worker-0 err together." in text and "40%, 20% to 60%" in text and "agree, 60% with" in text
    opened.is_quiet()


def test_shortcuts_are_a_picture_and_a_table(show, pairs):
    opened = show(pairs[1], "#labels")
    bars = opened.page.locator(".intervals svg")
    assert bars.count() == 4 and bars.first.get_attribute("aria-label") == "80%, 76% to 84%"
    ends = opened.page.evaluate(
        """[...document.querySelectorAll(".intervals svg")].map((each) => {
          const line = each.querySelector(".line"), middle = each.querySelector(".middle");
          return [line.classList.contains("off"), Number(line.getAttribute("x")), Number(middle.getAttribute("x"))];
        })"""
    )
    assert [off for off, _, _ in ends] == [True, True, True, False]
    assert ends[0][1] == pytest.approx(76) and {middle for _, _, middle in ends} == {49.8}
    rows = opened.page.locator("#labels .scroll tbody tr").all_inner_texts()
    assert rows[0].split("\t") == ["the longer side", "all", "500", "80%", "76% to 84%", "60%", "1e-09"]
    assert "annotator worker-1" in rows[1]


def test_a_redacted_page_swaps_and_links_as_well(show, pairs, tmp_path):
    write_bytes(tmp_path / "report.html", html.render(redact.report(collect(pairs[0]), {})))
    opened = show(tmp_path / "report.html", "#row-8")
    assert "worker-1" not in opened.page.content() and "brown" not in opened.page.content()
    opened.press("w")
    assert said(opened, tmp_path) == {8: "swap"}
    opened.go("row-7")
    opened.page.click("#queue-row header a")
    opened.page.locator("#annotator-0 [data-person]").click()
    assert opened.page.locator("#queue-list button").count() == 4
