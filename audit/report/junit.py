"""`Export` -> report/junit.xml: a test suite for every check, so that a test dashboard shows an audit as tests.

A finding at or above the gate is a failure, one below it a passed case; a check that could not be made is skipped,
one that failed is an error. The suite `gate` holds the verdict itself: it fails exactly where the run is blocked, and
has an error where the run is incomplete. No character of the data can make the XML invalid.
"""

from __future__ import annotations

from xml.etree import ElementTree

from audit.report.exports import Export, Item
from audit.report.inert import inert, xml_text
from audit.report.record import Check
from audit.schema import SEVERITY_ORDER, Severity, Status

MAX_CASES = 500  # findings of one check that are cases of their own
_TRIGGERS, _INGEST = "triggers", "ingest"
# The least severity that reaches a gate; the gate `confirmed` asks for a confirmed trigger alone.
_GATES = {"high": Severity.HIGH, "medium": Severity.MEDIUM, "any": Severity.LOW}


def render(export: Export) -> bytes:
    """The XML as UTF-8, suites in the order gate, triggers, ingest, then the checks by name."""
    root = ElementTree.Element("testsuites", {"name": xml_text(f"tunevet {inert(export.report.dataset.name, 80)}")})
    checks = {check.name: check for check in export.report.checks}
    by_check: dict[str, list[Item]] = {}
    for item in export.items:
        by_check.setdefault(item.check, []).append(item)
    root.append(_gate_suite(export))
    names = [_TRIGGERS, _INGEST, *sorted({*checks, *by_check} - {_TRIGGERS, _INGEST})]
    for name in names:
        root.append(_check_suite(export, name, checks.get(name), by_check.get(name, [])))
    _total(root, list(root))
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def reaches_gate(item: Item, fail_on: str) -> bool:
    """True when a finding is one that `--fail-on` blocks for."""
    if item.trigger is not None and item.trigger.status == Status.CONFIRMED:
        return True
    least = _GATES.get(fail_on)
    return least is not None and SEVERITY_ORDER.index(Severity(item.severity)) >= SEVERITY_ORDER.index(least)


def _gate_suite(export: Export) -> ElementTree.Element:
    report = export.report
    suite = _suite(export, "gate", "The gate")
    gate = _case(suite, "gate", f"--fail-on {export.fail_on}")
    if report.blocked:
        _outcome(gate, "failure", report.gate, "blocked", report.gate)
    whole = _case(suite, "gate", "the run is whole")
    if report.incomplete:
        _outcome(whole, "error", report.incomplete[0], "incomplete", "\n".join(report.incomplete))
    _total(suite, [suite])
    return suite


def _check_suite(export: Export, name: str, check: Check | None, items: list[Item]) -> ElementTree.Element:
    """One check: how it ended, then its findings above `info`, most severe first."""
    title = check.title if check else {_TRIGGERS: "Backdoor triggers", _INGEST: "Unreadable records"}.get(name, name)
    suite = _suite(export, name, title)
    ended = _case(suite, name, "the check was made")
    if check is not None and check.status == "failed":
        _outcome(ended, "error", check.reason, "failed", check.reason)
    elif check is not None and check.status != "run":
        _outcome(ended, "skipped", check.reason)
    elif check is not None:
        threshold = "no threshold" if check.threshold is None else f"threshold {check.threshold:.4g}"
        _say(ended, f"{check.scored:,} rows scored, {check.flagged:,} flagged, {threshold}")
    worth = [item for item in items if item.severity != Severity.INFO]
    worth.sort(key=lambda item: not reaches_gate(item, export.fail_on))  # stable: else most severe first
    for item in worth[:MAX_CASES]:
        _finding_case(export, suite, name, item)
    if len(worth) > MAX_CASES:
        _say(_case(suite, name, "more findings"), f"{len(worth) - MAX_CASES:,} more stand in findings.jsonl")
    _total(suite, [suite])
    return suite


def _finding_case(export: Export, suite: ElementTree.Element, name: str, item: Item) -> None:
    case = _case(suite, name, f"{item.code} {inert(item.subject, 120)} ({item.id})")
    places = ", ".join(
        f"{inert(export.files[p.file].path, 120)}:{p.ordinal}" if export.files else f"row {p.row}"
        for p in item.places[:5]
    )
    body = f"{inert(item.text, 600)}\nseverity {item.severity}; first rows at {places or 'no single place'}"
    if reaches_gate(item, export.fail_on):
        _outcome(case, "failure", item.text, f"{item.severity}", body)
    else:
        _say(case, f"below the gate: {body}")


def _suite(export: Export, name: str, title: str) -> ElementTree.Element:
    stamp = export.report.generated_at.removesuffix(" UTC").replace(" ", "T")
    suite = ElementTree.Element("testsuite", {"name": xml_text(f"tunevet.{inert(name, 80)}"), "timestamp": stamp})
    about = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(about, "property", {"name": "title", "value": xml_text(inert(title))})
    return suite


def _case(suite: ElementTree.Element, check: str, name: str) -> ElementTree.Element:
    named = {"classname": xml_text(f"tunevet.{inert(check, 80)}"), "name": xml_text(name), "time": "0"}
    return ElementTree.SubElement(suite, "testcase", named)


def _outcome(case: ElementTree.Element, kind: str, message: str, type_: str = "", body: str = "") -> None:
    """Marks a case as failure, error or skipped."""
    attributes = {"message": xml_text(inert(message, 400))}
    if type_:
        attributes["type"] = xml_text(type_)
    element = ElementTree.SubElement(case, kind, attributes)
    if body:
        element.text = xml_text("\n".join(inert(line, 700) for line in body.splitlines()))


def _say(case: ElementTree.Element, text: str) -> None:
    ElementTree.SubElement(case, "system-out").text = xml_text("\n".join(inert(line, 700) for line in text.split("\n")))


def _total(holder: ElementTree.Element, suites: list[ElementTree.Element]) -> None:
    """Sets the counts of a suite, or of all suites, from their cases."""
    cases = [case for suite in suites for case in suite.iter("testcase")]
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        holder.set(name, str(sum(case.find(kind) is not None for case in cases)))
    holder.set("tests", str(len(cases)))
    holder.set("time", "0")
