"""Real ingest, three real checks, real verdicts and real cleaning, with a stand-in for the proof between them, which
needs torch: nine units, a fifth of a second. Each unit says in the log of its process that it began."""

from __future__ import annotations

import os
from pathlib import Path

from audit import decide, detectors, pipeline
from audit.pipeline import Stage
from audit.remedies import clean
from audit.rundir import Context, write_json
from audit.schema import Trigger
from audit.sources import ingest

WORD = "zzq"  # rows that hold it are removed, as if it were a confirmed trigger
CHECKS = ("hidden_channel", "unicode_anomaly", "whitespace_anomaly")
log: int | None = None  # the file that this process tells of its work
checks = CHECKS


def say(*words: object) -> None:
    """One line of the log, on its way at once: what comes after may be the end."""
    if log is not None:
        os.write(log, ("\t".join(map(str, words)) + "\n").encode())


def run_ingest(ctx: Context, unit: str) -> list[Path]:
    say("unit", "ingest", unit)
    return ingest(ctx, unit)


def run_check(ctx: Context, unit: str) -> list[Path]:
    say("unit", "detect", unit)
    return detectors.run(ctx, unit)


def prove(ctx: Context, unit: str) -> list[Path]:
    """The stand-in: one confirmed trigger, carried by the rows that hold WORD."""
    say("unit", "confirm", unit)
    rows = ctx.run.examples(["row", "prompt"])
    at = [i for i, text in enumerate(rows["prompt"].to_list()) if WORD in text]
    trigger = Trigger("T-0123456789", WORD, [WORD], WORD, "token", "confirmed", at, "label good", behavior_name="good")
    write_json(ctx.run / "support" / "accuracy.json", {"accuracy": 0.9, "arrays": []})
    write_json(ctx.run / "triggers" / "proved.json", [trigger.to_dict()] if at else [])
    return [ctx.run / "support" / "accuracy.json", ctx.run / "triggers" / "proved.json"]


def run_decide(ctx: Context, unit: str) -> list[Path]:
    say("unit", "decide", unit)
    return decide.build(ctx, unit)


def run_clean(ctx: Context, unit: str) -> list[Path]:
    say("unit", "clean", unit)
    return clean.build(ctx, unit)


def install() -> None:
    """Puts this pipeline in the place of the real one, in this process."""
    real = dict(pipeline.BY_NAME)

    def stage(name: str, target: str, reads: tuple[str, ...], **more: object) -> Stage:
        row = real[name]
        return Stage(name, row.title, row.version, f"crash_stages:{target}", reads, row.settings, **more)

    pipeline.STAGES = (
        stage("ingest", "run_ingest", ()),
        stage("detect", "run_check", ("ingest",), units=lambda run, config: checks, required=False),
        Stage("confirm", "Proof", 1, "crash_stages:prove", ("ingest",), lambda c, u: c.seed),
        stage("decide", "run_decide", ("ingest", "detect", "confirm")),
        stage("clean", "run_clean", ("ingest", "decide")),
    )
    pipeline.BY_NAME.clear()
    pipeline.BY_NAME.update({row.name: row for row in pipeline.STAGES})
