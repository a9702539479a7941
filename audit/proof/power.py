"""What canaries.json says in one plain sentence: what would have been found, had it been there.

Reads no dataset and loads no model: the outcome, the report and the command line say the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.rundir import RunDir, read_json

FILE = "canaries.json"
STAGE = "canaries"
NAMES = {
    "badnet": "rare-token",
    "phrase": "phrase",
    "add-sentence": "sentence",
    "zero-width": "zero-width",
    "composite": "two-word",
    "preference-reversal": "preference-reversal",
    "preference-response": "preference-response",
}
BOUNDED = "this holds for those families, counts and targets only"


def read(run: RunDir) -> dict[str, Any] | None:
    """canaries.json of a run; None where its stage did not come to its end."""
    if not (run / FILE).exists() or not run.marker(STAGE, "all").exists():
        return None
    found: dict[str, Any] = read_json(run / FILE)
    return found


def sentence(told: Mapping[str, Any], confirmed: int) -> str:
    """The power of a scan in plain words, of counts alone. `confirmed` are the confirmed triggers of the run itself."""
    off = told["probe"] == "off"
    head = "Nothing confirmed, for the probe was off" if off else "Nothing confirmed"
    if not told["shares"]:
        return "" if confirmed else f"{head}; what would have been found was not measured: {told['reason']}."
    text = f"{'; '.join(_share(share, off) for share in told['shares'])}; {BOUNDED}."
    text = f"Besides, {text}" if confirmed else f"{head}; {text}"
    if told["relaxed"]:
        text += f" They stood in {told['relaxed']:.1%} of a scratch copy's rows, for the set is small."
    return text


def _share(share: Mapping[str, Any], off: bool) -> str:
    """ "of 20 planted rare-token triggers with 8 rows, 19 were mined and 17 confirmed" """
    planted, mined, tried, confirmed = (share[name] for name in ("planted", "mined", "tried", "confirmed"))
    plural = "trigger" if planted == 1 else "triggers"
    text = f"of {planted} planted {share['name']} {plural} with {share['count']} rows, {mined} {_were(mined)} mined"
    if off:
        return text
    if tried == planted:
        return f"{text} and {confirmed} confirmed"
    if tried:
        return f"{text} and, of {tried} that the probe was tried on, {confirmed} confirmed"
    return f"{text} (the probe was not tried)"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
