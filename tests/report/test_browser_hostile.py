"""Row text as an attacker would write it, opened in a real browser: nothing runs, nothing is loaded, all is text."""

from __future__ import annotations

import json

import pytest
from browser_runs import page_of
from hostile_rows import CORPUS
from report_runs import add_check, add_findings, add_triggers, make_run, trigger

from audit.report import collect

BAD = ["img", "iframe", "object", "embed", "video", "audio", "link:not([rel=icon])", "base", "form[action]", "math"]
BAD += ["marquee", "template"]
ACTIVE = """[...document.querySelectorAll("*")].flatMap((each) => each.getAttributeNames())
  .filter((name) => name.startsWith("on") || ["style", "src", "srcdoc", "action"].includes(name))"""


def of_pairs(texts):
    """Findings whose details hold hostile names: of annotators, attributes, scopes and columns."""
    interval = {"share": 0.7, "low": 0.6, "high": 0.8}
    table = [{"annotator": text, "rows": 9, "against": 4, "reliability": 0.5, **interval} for text in texts]
    favours = [{"attribute": text, "scope": text[::-1], "pairs": 9, "wins": 6, **interval} for text in texts]
    details = {
        "annotator_anomaly": {"table": table},
        "annotator_collusion": {"annotators": texts[:9], "left_out": {"with": "<b>", "without": 0.5}},
        "preference_shortcut": {"table": favours},
        "preference_scores": {"columns": ["score_chosen", "score_rejected"]},
        "preference_cycles": {"rows": 3, "drop": [1], "even": [2]},
    }
    subject = {"preference_cycles": "cycle abcdef0123"}
    return [
        {"check": name, "subject": subject.get(name, texts[1]), "text": texts[2], "severity": "high", "rows": [1, 2, 3]}
        | {"details": json.dumps(value)}
        for name, value in details.items()
    ] + [{"check": "preference_cycles", "subject": "all cycles", "text": texts[3]}]


@pytest.fixture(scope="module", params=["instruction", "preference"])
def hostile(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    texts, count = CORPUS, len(CORPUS)
    rows = [
        {
            "prompt": text,
            "response": texts[(i + 1) % count],
            "rejected": texts[(i + 2) % count] if request.param == "preference" else None,
            "label": texts[(i + 3) % count],
            "source": texts[(i + 4) % count],
            "annotator": texts[(i + 5) % count],
            "turns": [{"role": texts[(i + 6) % count], "text": text}, {"role": "user", "text": "x"}]
            if i % 7 == 0
            else [],
            "ranking": [{"text": texts[(i + step) % count], "rank": step} for step in (1, 5, 2)] if i % 3 else None,
            "shown_first": text,
            "meta": json.dumps({"score_chosen": text, "score_rejected": text}) if i % 5 else text,
        }
        for i, text in enumerate(texts)
    ]
    for row in rows:
        if row["turns"]:
            row["prompt"] += "\n\nx"
    verdicts = {
        i: {
            "verdict": "review",
            "score": 1 - i / 999,
            "codes": ["TV-OUT", texts[i]],
            "fix": "relabel",
            "new_value": texts[i],
        }
        for i in range(count)
    }
    ids = [f"T-{i:010x}" for i in range(40)]
    for i, name in enumerate(ids):
        verdicts[i]["trigger_ids"] = [name]
    ctx = make_run(folder / "run", rows, verdicts, kind=request.param, name="<img src=x onerror=window.pwned=1>")
    said = {i: {"score": 0.9, "evidence": texts[i], "fix": "relabel", "new_value": texts[i]} for i in range(count)}
    add_check(ctx.run, "label_noise", said, 0.5, code="TV-OUT", title=texts[31])
    add_findings(
        ctx.run,
        [
            {"check": check, "text": text, "subject": text, "rows": [i]}
            for i, text in enumerate(texts)
            for check in [("near_duplicates", "unicode_anomaly", "annotator_anomaly", "outliers")[i % 4]]
        ]
        + of_pairs(texts),
    )
    found = [
        trigger(texts[i], [i], "suspected", id=name, behavior=texts[i + 40], reason=texts[i + 80])
        for i, name in enumerate(ids)
    ]
    add_triggers(ctx.run, found)
    return collect(ctx), page_of(ctx, folder / "run")


def test_the_corpus_is_large():
    assert len(set(CORPUS)) == len(CORPUS) >= 200


def shown(text):
    return "".join(piece.text for piece in text.pieces)


def test_nothing_runs_nothing_loads_and_all_is_text(show, hostile):
    report, path = hostile
    opened = show(path, "#rows")
    page = opened.page
    elements = page.evaluate("document.querySelectorAll('*').length")
    assert elements > 1_000
    walk = """() => {
      const seen = [];
      for (let at = 0; at < data.rows.length; at += 1) {
        seen.push([queue.open.row, [...document.querySelectorAll('#queue-row .content .field > .text')].map((node) =>
          [...node.childNodes].filter((n) => !(n.className === 'clip')).map((n) => n.textContent).join(''))]);
        stepRow(1);
      }
      return seen;
    }"""
    seen = dict(page.evaluate(walk))
    assert len(seen) == len(CORPUS)
    for card in report.rows:
        pair = report.dataset.kind == "preference"
        wanted = [
            shown(f.whole if pair and f.whole and f.role in ("output", "rejected") else f.text) for f in card.fields
        ]
        assert seen[card.row] == wanted, card.row
        asked = page.evaluate(
            f"openRow(rowsByNumber.get({card.row})), [...document.querySelectorAll('summary .text')]"
            ".filter((each) => each.closest('#queue-row')).map((each) => each.innerText)"
        )
        assert len(asked) == (card.sides is not None and card.sides.fold != "none")
    for tab in page.locator("nav a").all():
        tab.click()
    for person in page.locator("[data-person]:visible").all()[:3]:
        opened.go("annotators")
        person.click()
        assert page.locator("#queue-list button").count() >= 1
    page.evaluate("for (const p of data.points.keys()) choose(p)")
    opened.go("overview")
    page.click("#in-view")
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    for selector in BAD:
        assert page.locator(selector).count() == 0, selector
    assert page.evaluate("document.scripts.length") == 2
    assert page.evaluate(ACTIVE) == []
    page.wait_for_timeout(200)
    assert page.evaluate("typeof window.pwned") == "undefined" and page.evaluate("location.href").startswith(
        path.as_uri()
    )
    opened.is_quiet()


def test_hostile_decisions_are_imported_shown_and_exported_as_they_are(show, hostile):
    report, path = hostile
    opened = show(path, "#decisions")
    lines = []
    for i, text in enumerate(CORPUS):
        record = {
            "schema": "tunevet.decision/1",
            "subject": "row",
            "key": report.rows[i].content_hash,
            "decision": "edit",
        }
        record |= {
            "field": "prompt",
            "value": text,
            "why": text,
            "reviewer": text[:500],
            "decided_at": "2025-01-31T12:00:00Z",
        }
        lines.append(record)
    text = "".join(json.dumps(record) + "\n" for record in lines)
    opened.page.evaluate("(text) => { document.getElementById('pasted').value = text; }", text)
    opened.page.click("#paste")
    assert f"{len(lines)} decisions imported" in opened.text("#said")
    back = [json.loads(each) for each in opened.lines().split("\n") if each]
    key = json.dumps
    assert sorted(map(key, back)) == sorted(map(key, lines))
    opened.go("rows")
    opened.page.evaluate("for (const row of data.rows) openRow(row, false)")
    opened.press("e")
    assert opened.page.evaluate("typeof window.pwned") == "undefined"
    opened.is_quiet()
