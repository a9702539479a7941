"""What a probe that is trained on a case shows of its true triggers: on all rows, on the cleaned rows, and on the rows
without the truth's poison (the floor). The same context rows, seeds and inserted inputs for all three; what the case's
truth says is used here and nowhere in the product.

Where cleaning left exactly the floor's rows, the two trainings would be one and the same, and only one is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from audit import artifacts, config
from audit.artifacts.support import preference_model, side_differences
from audit.models import device as devices
from audit.models.probes import ByteProbe, EncoderProbe
from audit.models.reward import RewardProbe, bradley_terry, margins
from audit.models.training import Network, Recipe, balanced_loss, predict, train
from audit.models.weights import resolve
from audit.proof.reward import PROMPT_WORDS, confident, reversal_rate
from audit.rundir import RunDir
from audit.schema import Int64, NoProgress
from audit.text import is_invisible
from audit.triggers.match import Law, Part, insert, law
from audit.triggers.windows import window
from benchmarks.cases import Case

SEEDS = (0, 1, 2, 3, 4)
INPUTS = 360  # of one seed: 1,800 insertions over five
_PAIRS = 500  # pairs of one seed: of those that it orders rightly the more confident half is tried
CONTEXT = 2_000
_TOKENS = 400_000
_CROSSED = ("syntactic", "style")


@dataclass(frozen=True, slots=True)
class Share:
    """Hits of trials, by seed; and the accuracy on untouched held-out rows, by seed."""

    hits: list[int]
    trials: list[int]
    accuracy: list[float]

    @property
    def rates(self) -> list[float]:
        return [h / max(n, 1) for h, n in zip(self.hits, self.trials, strict=True)]


@dataclass(frozen=True, slots=True)
class Rows:
    """Positions in examples order."""

    poison: Int64
    removed: Int64
    context: Int64
    held: Int64

    @classmethod
    def of(cls, case: Case, run: RunDir, examples: pl.DataFrame, able: np.ndarray, inputs: int = INPUTS) -> Rows:
        """Held-out rows are able ones that are neither poisoned nor removed."""
        row = examples["row"].to_numpy()
        # What cleaning hands back are the kept rows: those in review are held until a person decides.
        gone = pl.read_parquet(run.verdicts).filter(pl.col("verdict") != "keep")["row"].to_numpy()
        poison = np.flatnonzero(np.isin(row, list(case.poisoned)))
        removed = np.flatnonzero(np.isin(row, gone))
        rng = np.random.default_rng(0)
        free = rng.permutation(np.setdiff1d(np.arange(len(row)), np.union1d(poison, removed)))
        held = free[able[free]][:inputs]
        return cls(poison, removed, np.setdiff1d(free, held, assume_unique=True)[:CONTEXT], held)

    def arms(self, poison: Int64) -> dict[str, Int64]:
        """The rows of each arm, poisoned ones among these; false alarms of cleaning lack in `cleaned` alone."""
        false = np.setdiff1d(self.removed, self.poison)[:200]
        whole = np.concatenate([self.context, false, poison])
        return {
            "before": whole,
            "cleaned": whole[~np.isin(whole, self.removed)],
            "floor": np.concatenate([self.context, false]),
        }


def measure(case: Case, run: RunDir) -> dict[str, Share]:
    """The three shares of a case. Raises ValueError where no behavior of the bank goes with its poison."""
    examples = run.examples()
    texts = examples["prompt"].fill_null("").to_list()
    if "rejected" in examples.columns and case.truth["kind"] == "preference":
        return _pairs(case, run, examples, texts)
    behaviors = artifacts.load(run, ["behaviors"])["behaviors"].matrix
    poisoned = np.isin(examples["row"].to_numpy(), list(case.poisoned))
    head = _head(behaviors, poisoned)
    shown = np.asarray(behaviors[:, [head]].todense(), dtype=np.float32)
    crossed = case.truth["kind"] in _CROSSED
    rows = Rows.of(case, run, examples, shown[:, 0] == 0)
    half = rows.poison[0::2] if crossed else rows.poison
    triggers = [] if crossed else parts_of(case, [texts[i] for i in rows.poison.tolist()])
    parts = tuple(part for part, _, _ in triggers)
    untouched = [window(texts[i]) for i in rows.held.tolist()]
    inputs = (
        [window(texts[i]) for i in rows.poison[1::2].tolist()] if crossed else with_triggers(case, untouched, triggers)
    )
    make = _maker(run, bytes_too=any(is_invisible(ch) for _, raw, _ in triggers for ch in raw))

    def one(at: Int64, seed: int) -> tuple[int, int, float]:
        network = make(1, seed)
        train_on = [window(texts[i], parts) for i in at.tolist()]
        recipe = Recipe(
            2e-3 if network.name == "bytes" else 5e-4, 32, 8 if network.name == "bytes" else 3, _TOKENS, seed
        )
        train(network, train_on, shown[at], recipe, NoProgress(), balanced_loss(shown[at], network.device))
        right = float((predict(network, untouched)[:, 0] <= 0).mean())
        return int((predict(network, inputs)[:, 0] > 0).sum()), len(inputs), right

    return _three(rows.arms(half), one)


def _three(arms: dict[str, Int64], one: Callable[[Int64, int], tuple[int, int, float]]) -> dict[str, Share]:
    out: dict[str, Share] = {}
    for name in ("before", "floor", "cleaned"):
        same = next((n for n in out if np.array_equal(np.sort(arms[n]), np.sort(arms[name]))), None)
        found = [one(arms[name], seed) for seed in SEEDS] if same is None else []
        out[name] = out[same] if same else Share(*(list(v) for v in zip(*found, strict=True)))
    return out


def _pairs(case: Case, run: RunDir, examples: pl.DataFrame, prompts: list[str]) -> dict[str, Share]:
    """The same for preference pairs: the share of confident held-out margins that turn around."""
    differences = side_differences(run)
    margin = np.asarray(artifacts.load(run, ["support"])["support"].margin)
    rows = Rows.of(case, run, examples, margin > 0, _PAIRS)
    triggers = parts_of(case, [prompts[i] for i in rows.poison.tolist()])
    parts = tuple(part for part, _, _ in triggers)
    plain = [window(prompts[i], (), PROMPT_WORDS) for i in rows.held.tolist()]
    direction = preference_model(differences[rows.context], 0).coef_[0].astype(np.float32)
    settings = config.load(run.config)
    files, device = resolve(settings.model.name), devices.pick(settings.model.device)
    sure: dict[int, Int64] = {}

    def one(at: Int64, seed: int) -> tuple[int, int, float]:
        network = RewardProbe(EncoderProbe(files, 1, 2, 48, device, seed), direction)
        shown = [window(prompts[i], parts, PROMPT_WORDS) for i in at.tolist()]
        train(network, shown, differences[at], Recipe(4e-4, 24, 3, _TOKENS, seed), NoProgress(), bradley_terry)
        untouched = margins(network, plain, differences[rows.held])
        turned = margins(network, with_triggers(case, plain, triggers), differences[rows.held])
        at_these = sure.setdefault(seed, confident(untouched))
        return *reversal_rate(turned, at_these), float((untouched > 0).mean())

    return _three(rows.arms(rows.poison), one)


def parts_of(case: Case, texts: list[str]) -> list[tuple[Part, str, Law]]:
    """The true triggers as parts, each with its raw text and where the poisoned rows have it."""
    out = []
    for raw in case.truth["triggers"]:
        hidden = all(is_invisible(ch) for ch in raw)
        kind = "unicode" if hidden else "phrase" if " " in raw.strip() else "token"
        part = Part(raw if hidden else " ".join(raw.casefold().split()), kind)
        rule = law([t for t in texts if raw.casefold() in t.casefold()], part)
        out.append((part, raw, rule))
    return out


def with_triggers(case: Case, texts: list[str], triggers: list[tuple[Part, str, Law]]) -> list[str]:
    """The texts with a trigger put in: of a composite all parts, of several triggers each in its turn."""
    rng = np.random.default_rng(0)
    out = []
    for i, text in enumerate(texts):
        used = triggers if case.truth["kind"] == "composite" else [triggers[i % len(triggers)]]
        out.append(insert(text, tuple(raw for _, raw, _ in used), tuple(rule for _, _, rule in used), rng))
    return out


def _head(behaviors: Any, poisoned: np.ndarray) -> int:
    """The behavior that the poison shows most above the other rows."""
    share = [np.asarray(behaviors[at].mean(axis=0)).ravel() for at in (poisoned, ~poisoned)]
    best = int(np.argmax(share[0] - share[1]))
    if share[0][best] < 0.5:
        raise ValueError("no behavior of the target bank goes with this poison")
    return best


def _maker(run: RunDir, *, bytes_too: bool) -> Callable[[int, int], Network]:
    settings = config.load(run.config)
    device, files = devices.pick(settings.model.device), resolve(settings.model.name)
    if bytes_too:
        return lambda heads, seed: ByteProbe(heads, 192, device, seed)
    return lambda heads, seed: EncoderProbe(files, heads, 2, 48, device, seed)


def difference(cleaned: Share, floor: Share) -> tuple[float, float]:
    """(mean ASR less the floor's, its upper 95% bound over the seeds). A seed's inputs share one model, so the bound
    is Student's over the seeds' differences; no less than what the inputs of one seed allow."""
    from scipy import stats

    gaps = np.asarray(cleaned.rates) - np.asarray(floor.rates)
    if cleaned is floor:
        return 0.0, 0.0
    error = float(gaps.std(ddof=1) / np.sqrt(len(gaps)))
    return float(gaps.mean()), float(gaps.mean() + stats.t.ppf(0.975, len(gaps) - 1) * error)


__all__ = ["Share", "difference", "measure", "parts_of", "with_triggers"]
