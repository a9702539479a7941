"""Run directory -> `Report`. All reading of files ends here; renderers see the record alone."""

from __future__ import annotations

import os
import platform
import shlex
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import polars as pl

import audit
from audit.report import annotators, cards, characters, circles, projection, rows, shortcuts, tables
from audit.report.alarms import TITLES, alarms, below_the_cut
from audit.report.excerpt import excerpt, join, plain, short
from audit.report.read import Inputs
from audit.report.record import SCHEMA_VERSION, Dataset, Figure, Headline, Report, RowCard, Text, TriggerCard
from audit.rundir import Context, read_json
from audit.schema import Status, Verdict

LIMITS = (
    "False facts spread over many rows, such as the published attack with 0.001% of all tokens, show no association "
    "in the data and cannot be found by any audit of associations.",
    "Poisoned weights or adapters leave nothing in the data; only the model itself can be examined for them.",
    "A trigger that is spread over many weak features, none of which stands out alone, may stay below every threshold.",
    "A single flipped preference cannot be proven: one person's odd choice and one attacker's look the same.",
    "A kept row is a row against which nothing was found; it is not proven clean.",
)
_LABELS = 200  # that an edit can choose from
_PACKAGES = (
    "polars",
    "pyarrow",
    "numpy",
    "scipy",
    "scikit-learn",
    "cleanlab",
    "torch",
    "sentence-transformers",
    "datasets",
)


def collect(ctx: Context) -> Report:
    """The record of a finished run. Raises InputError when the folder is not a run directory."""
    data = Inputs(ctx)
    outcome, info = data.outcome, data.info
    ctx.progress.start("report", 3, "steps")
    shown, flagged = rows.cards(data)
    triggers, triggers_hidden = cards.cards(data)
    ctx.progress.advance(1)
    picture = projection.build(data)
    ctx.progress.advance(1)
    clusters, clusters_total = tables.clusters(data)
    findings, findings_hidden = tables.findings(data)
    relabels, relabels_total, confusion = tables.relabels(data)
    people, people_hidden = annotators.annotators(data)
    favours, favours_hidden = shortcuts.shortcuts(data)
    rings, rings_told = circles.circles(data)
    report = Report(
        schema_version=SCHEMA_VERSION,
        version=audit.__version__,
        generated_at=_now(),
        run=ctx.run.path.name,
        seed=ctx.config.seed,
        verdict=outcome.verdict,
        blocked=outcome.blocked,
        exit_code=outcome.exit_code,
        gate=outcome.gate,
        incomplete=tuple(short(sentence, 400) for sentence in outcome.incomplete[:20]),
        counts=tuple((n, getattr(outcome, n)) for n in ("rows", "readable", "keep", "review", "remove", "unreadable")),
        statuses=tuple((str(s), getattr(outcome, s)) for s in Status),
        severities=tuple(outcome.severities.items()),
        undecided=ctx.config.review.undecided,
        dataset=_dataset(data),
        headlines=(
            *_headlines(data, triggers, shown),
            *below_the_cut(data, triggers_hidden, findings_hidden, clusters_total - len(clusters)),
        ),
        checks=tuple(data.checks),
        breakdowns=tables.breakdowns(data),
        map=picture,
        limits=LIMITS,
        power=outcome.power,
        canaries=tables.canaries(data),
        triggers=triggers,
        triggers_hidden=triggers_hidden,
        rows=shown,
        rows_flagged=flagged,
        findings=findings,
        findings_hidden=findings_hidden,
        clusters=clusters,
        clusters_total=clusters_total,
        relabels=relabels,
        relabels_total=relabels_total,
        confusion=confusion,
        histograms=annotators.histograms(data),
        channels=characters.channels(data),
        annotators=people,
        annotators_hidden=people_hidden,
        shortcuts=favours,
        shortcuts_hidden=favours_hidden,
        circles=rings,
        circles_told=rings_told,
        bad_rows=tables.bad_rows(data),
        cleaned=tables.cleaned(data),
        costs=() if reproducible() else tables.costs(data),
        versions=_versions(data),
        command=f"tunevet scan {shlex.quote(ctx.config.source or info.name)} --config RUN/config.toml -o NEW_RUN",
        config_toml=short(ctx.config.to_toml(), 40_000),
    )
    ctx.progress.advance(1)
    return report


def reproducible() -> bool:
    """True where SOURCE_DATE_EPOCH asks for the same bytes on every run: what a run took in time and memory then stands
    in manifest.json alone."""
    return os.environ.get("SOURCE_DATE_EPOCH", "").isdigit()


def _now() -> str:
    """The time of the report, UTC; SOURCE_DATE_EPOCH overrules the clock."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(epoch), UTC) if reproducible() else datetime.now(UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _dataset(data: Inputs) -> Dataset:
    info = data.info
    return Dataset(
        name=short(info.name),
        kind=info.kind,
        shape=info.shape,
        confidence=info.confidence,
        mapping=tuple(Figure(role, short(column)) for role, column in info.mapping.items()),
        files=tuple(
            Figure(
                short(f.path, 200),
                f"{f.records:,} records",
                f"{f.format}{' ' + f.compression if f.compression else ''}, {f.sha256}",
            )
            for f in info.files[:200]
        ),
        extension=_extension(data),
        labels=tuple(short(label) for label in info.labels[:_LABELS]),
        bad=tuple(Figure(reason, f"{count:,}") for reason, count in sorted(info.bad.items())),
        fingerprint=info.fingerprint,
        note=short(info.note, 600),
    )


def _extension(data: Inputs) -> str:
    """What the file of the cleaned dataset ends with; that of the first input file."""
    first = next(iter(data.info.files), None)
    if first is None:
        return "jsonl"
    return f"{first.format}.{first.compression}" if first.compression else first.format


def _headlines(data: Inputs, triggers: tuple[TriggerCard, ...], shown: tuple[RowCard, ...]) -> tuple[Headline, ...]:
    """The few things to know first: each confirmed trigger, the suspected ones, the review queue by reason,
    unreadable rows, checks that could not be made."""
    outcome = data.outcome
    found: list[Headline] = []
    for card in [t for t in triggers if t.status == Status.CONFIRMED][:5]:
        found.append(Headline("remove", card.sentence, "triggers"))
    open_triggers = [t for t in triggers if t.status in (Status.SUSPECTED, Status.UNTESTABLE)]
    if open_triggers:
        found.append(Headline("review", _open_triggers(open_triggers), "triggers"))
    if outcome.review:
        found.append(Headline("review", _queue(data), "rows"))
    found += alarms(data)
    if outcome.unreadable:
        text = f"{outcome.unreadable:,} records could not be read and were kept aside with their place and reason."
        found.append(Headline("review", plain(text), "input"))
    failed = [c for c in data.checks if c.status == "failed"]
    if failed:
        names = ", ".join(c.title for c in failed)
        found.append(
            Headline("review", plain(f"Checks that failed and say nothing of this data: {names}."), "overview")
        )
    if not found:
        ran = sum(c.status == "run" for c in data.checks)
        found.append(Headline("info", plain(f"Nothing was found by {ran} checks and by trigger mining."), "overview"))
    if outcome.power and not outcome.confirmed:
        found.append(Headline("info", plain(outcome.power), "overview"))
    return tuple(found)


def _open_triggers(cards_: list[TriggerCard]) -> Text:
    parts: list[str | Text] = [f"{len(cards_)} pattern{'s' if len(cards_) > 1 else ''} under suspicion, not proven: "]
    for at, card in enumerate(cards_[:4]):
        parts += [", " if at else "", "“", card.pattern, f"” ({card.rows:,} rows)"]
    return join(*parts, " and more." if len(cards_) > 4 else ".")


def _queue(data: Inputs) -> Text:
    """How many rows wait for a person, and for what: carriers of a trigger first, the others by check."""
    titles = TITLES | {c.code: c.title for c in data.checks}
    review = data.base.filter(pl.col("verdict") == Verdict.REVIEW)
    carriers = review.filter(pl.col("trigger_ids").list.len() > 0)
    others = review.filter(pl.col("trigger_ids").list.len().fill_null(0) == 0)
    codes = others.explode("codes").drop_nulls("codes")["codes"].value_counts()
    counted = codes.sort(-pl.col("count").cast(pl.Int64), "codes").head(4)
    named = [f"{short(titles.get(code, code))} ({count:,})" for code, count in counted.iter_rows()]
    if len(carriers):
        named.insert(0, f"carriers of a trigger ({len(carriers):,})")
    waiting = "rows wait" if len(review) != 1 else "row waits"
    return excerpt(f"{len(review):,} {waiting} for a person" + (f": {', '.join(named)}." if named else "."), (), 600)


def _versions(data: Inputs) -> tuple[Figure, ...]:
    found = [Figure("tunevet", audit.__version__), Figure("Python", platform.python_version())]
    for name in _PACKAGES:
        try:
            found.append(Figure(name, version(name)))
        except PackageNotFoundError:
            found.append(Figure(name, None))
    path = data.run / "models.json"
    for role, model in (read_json(path) if path.exists() else {}).items():
        found.append(Figure(f"{role} model", str(model.get("name")), str(model.get("revision") or "")))
    return tuple(found)
