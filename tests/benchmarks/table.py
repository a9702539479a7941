"""Markdown tables between the markers of docs/benchmarks.md. What a section says is made from results alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audit.rundir import write_bytes
from benchmarks.baselines import BASELINES
from benchmarks.cases import Case
from benchmarks.common import PAGE, commit, say, today
from benchmarks.scans import Settings

Results = Mapping[str, Mapping[str, Any]]


def share(value: float | None, digits: int = 3) -> str:
    """A share as shown: "-" for none."""
    return "-" if value is None else f"{value:.{digits}f}".rstrip("0").rstrip(".") or "0"


def lines(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A Markdown table; the first `left` columns are left-aligned."""
    rule = ["---" if i < left else "---:" for i in range(len(head))]
    body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (head, rule, *rows)]
    return "\n".join(body)


def section(text: str, name: str, body: str) -> str:
    """`text` with what stands between the markers of `name` replaced. Raises ValueError without markers."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no markers {start} and {end}")
    return f"{before}{start}\n\n{body.strip()}\n\n{end}{after}"


def write(name: str, body: str, settings: Settings, partial: bool) -> None:
    """Writes a section into the page; a partial one, or one of another work folder, only beside the results."""
    write_bytes(settings.work / "tables" / f"{name}.md", body.encode() + b"\n")
    if partial:
        say(f"a part only, so the page stays as it is; the table is {settings.work / 'tables' / f'{name}.md'}")
        return
    page: Path = PAGE
    write_bytes(page, section(page.read_text(encoding="utf-8"), name, body).encode())
    say(f"{page.name}: section {name} written")


def made(command: str, settings: Settings, results: Sequence[Mapping[str, Any]] = ()) -> str:
    """The sentence above a table: date, commit and command."""
    option = "" if settings.probe == "off" else f" PROBE={settings.probe}"
    commits = sorted({str(r["commit"]) for r in results if r.get("commit")}) or [commit()]
    dates = sorted({str(r["date"]) for r in results if r.get("date")}) or [today()]
    plus = " (+: with uncommitted changes)" if any(c.endswith("+") for c in commits) else ""
    return f"Measured {' and '.join(dates)} at {', '.join(commits)}{plus} by `make {command}{option}`."


def write_detect(
    cases: Sequence[Case], results: Results, noise: Mapping[str, Any] | None, only: str, settings: Settings
) -> None:
    """The sections of cases, variants and label noise."""
    ready = [c for c in cases if "judge" in results[c.name]]
    missing = [f"{c.name} ({results[c.name]['scan']['error'] or 'not scored'})" for c in cases if c not in ready]
    head = made("bench-detect", settings, [results[c.name]["scan"] for c in ready])
    plain = [c for c in ready if c.base == c.name]
    varied = [c for c in ready if c.truth["kind"] in ("syntactic", "style")]
    parts = [head, _case_table(plain, results), "Published filters on the same rows:", _baseline_table(plain, results)]
    if missing:
        parts.append("No result: " + "; ".join(missing) + ".")
    write("bench-detect", "\n\n".join(parts), settings, bool(only))
    if varied:
        write("bench-variants", "\n\n".join([head, *_variant_tables(varied, results)]), settings, bool(only))
    if noise is not None:
        write("bench-noise", _noise_table(noise, settings), settings, bool(only))


def _case_table(cases: Sequence[Case], results: Results) -> str:
    head = ["Case", "Rows", "Poisoned", "flagged", "named", "clean flagged", "other review", "false", "Seconds"]
    rows = []
    for c in cases:
        judge, ours = results[c.name]["judge"], results[c.name]["ours"]
        named = judge["named"] if judge["named"] == judge["named_any"] else judge["named_any"]
        rows.append(
            [
                c.name, f"{c.truth['rows']:,}", f"{len(c.poisoned):,}", share(judge["flagged"]), share(named),
                share(ours["clean"], 4), share(judge["other"], 4), str(judge["false"]),
                f"{sum(results[c.name]['seconds'].values()):.0f}",
            ]
        )  # fmt: skip
    return lines(head, rows)


def _pair(rates: Mapping[str, float | None] | None) -> str:
    return "-" if rates is None else f"{share(rates['recall'])} / {share(rates['clean'])}"


def _baseline_table(cases: Sequence[Case], results: Results) -> str:
    head = ["recall / clean rows flagged", "tunevet", *BASELINES]
    rows = [
        [c.name, _pair(results[c.name]["ours"]), *(_pair(results[c.name]["baselines"][b]) for b in BASELINES)]
        for c in cases
    ]
    return lines(head, rows)


def _variant_tables(cases: Sequence[Case], results: Results) -> list[str]:
    ordered = sorted(cases, key=lambda c: (c.base, c.folded, -c.rate))
    head = ["Case", "rate", "text", "tunevet", *BASELINES, "flipped", "label-consistent"]
    rows, tail = [], []
    for c in ordered:
        r = results[c.name]
        split = r.get("split")
        apart = (
            [f"{share(split[k]['recall'])} of {split[k]['rows']:,}" for k in ("flipped", "consistent")]
            if split
            else ["-", "-"]
        )
        rows.append(
            [
                c.base, f"{c.rate:.1%}", "folded" if c.folded else "as shipped", _pair(r["ours"]),
                *(_pair(r["baselines"][b]) for b in BASELINES), *apart,
            ]
        )  # fmt: skip
        if "oracle" in r:
            best, found = r["oracle"]["recall"], r["ours"]["recall"]
            tail.append(
                [
                    c.base,
                    "folded" if c.folded else "as shipped",
                    share(found),
                    share(r["ours"]["clean"]),
                    share(best),
                    share(found / best),
                ]
            )
    accuracies = [results[c.name]["split"]["accuracy"] for c in ordered if results[c.name].get("split")]
    out = [lines(head, rows, left=3)]
    if accuracies:
        out.append(
            "Flipped and label-consistent poison: the truth does not say which poisoned rows kept their label, so the "
            "split is an estimate by a classifier fitted on the truth's clean rows, which is right on "
            f"{share(min(accuracies), 2)} to {share(max(accuracies), 2)} of clean rows out of fold."
        )
    if tail:
        out.append(
            "The oracle is a classifier trained on the true poison labels, out of fold, at 5% of the clean rows:"
        )
        out.append(lines(["Case", "text", "tunevet", "clean flagged", "oracle", "share of the oracle"], tail, left=2))
    return out


def _noise_table(noise: Mapping[str, Any], settings: Settings) -> str:
    head = ["Flips", "Rows", "Wrong labels", "label_noise", "cleanlab", "difference", "95% from", "to"]
    rows = [
        [
            kind,
            f"{k['rows']:,}",
            f"{k['wrong']:,}",
            *(f"{k[c]:.4f}" for c in ("ours", "cleanlab", "difference", "lower", "upper")),
        ]
        for kind, k in noise["kinds"].items()
    ]
    return made("bench-detect", settings, [noise]) + "\n\n" + lines(head, rows)


def write_clean(results: Results, only: str, settings: Settings) -> None:
    """The section of clean corpora."""
    from benchmarks.clean import upper_bound

    good = {n: r for n, r in results.items() if not r["error"]}
    rows = []
    for name, r in good.items():
        states = [t["status"] for t in r["triggers"]]
        rows.append(
            [
                name,
                r["kind"],
                f"{r['rows']:,}",
                str(states.count("suspected")),
                str(states.count("confirmed")),
                str(r["claimed"]),
            ]
        )
    head = ["Corpus", "Kind", "Rows", "suspected", "confirmed", "Rows claimed"]
    counts = []
    for name in ("suspected", "confirmed"):
        hit = sum(any(t["status"] == name for t in r["triggers"]) for r in good.values())
        counts.append(f"{hit} of {len(good)} hold a {name} trigger (at most {upper_bound(hit, len(good)):.1%} at 95%)")
    claimed, total = sum(r["claimed"] for r in good.values()), sum(r["rows"] for r in good.values())
    share_claimed = f"{claimed:,} of {total:,} rows are claimed ({claimed / max(total, 1):.3%})"
    text = f"Of the corpora, {'; '.join(counts)}; {share_claimed}."
    found = [
        f"- {name}: `{_code(t['display'])}` ({t['kind']}, {t['status']}), {_code(t['behavior'])}"
        for name, r in good.items()
        for t in r["triggers"]
    ]
    failed = [f"{n}: {r['error']}" for n, r in results.items() if r["error"]]
    parts: list[str] = [made("bench-clean", settings, list(good.values())), lines(head, rows, left=2), text]
    if found:
        parts.append("\n".join(found))
    if failed:
        parts.append("No result: " + "; ".join(failed) + ".")
    write("bench-clean", "\n\n".join(parts), settings, bool(only))


def _code(text: str) -> str:
    """Row text within a Markdown line: no backticks, no markup, no line breaks."""
    return " ".join(text.replace("`", "'").replace("<", "‹").replace(">", "›").split())
