"""What of a record holds nothing of the rows; everything else is redacted."""

from __future__ import annotations

# Record -> its string fields that stay. "Parent.field/Record" is a record in one place: figures, for one, hold names of
# columns here and patterns there.
KEPT: dict[str, frozenset[str]] = {
    name: frozenset(kept.split())
    for name, kept in {
        "Report": "version generated_at run verdict gate counts statuses severities undecided limits power command "
        "config_toml",
        "Dataset": "name kind shape fingerprint note extension",
        "Dataset.mapping/Figure": "name value note",
        "Dataset.files/Figure": "name value note",
        "Dataset.bad/Figure": "name value note",
        "Report.versions/Figure": "name value note",
        "TriggerCard.association/Figure": "name value note",
        "TriggerCard.proof/Figure": "name value note",
        "TriggerCard.controls/Figure": "value",
        "TriggerCard": "id status kind twins_note",
        "Arm": "key name",
        "Check": "name code title severity status source misses",
        "Breakdown": "title",
        "Cleaned": "title",
        "Power": "name targets",
        "Map": "note",
        "Point": "verdict",
        "RowCard": "content_hash verdict severity codes trigger_ids place fix_kind",
        "Score": "check code title",
        "Example": "verdict",
        "Field": "role",
        "FindingCard": "id code check severity",
        "Relabel": "verdict",
        "BadRow": "file reason detail",
        "Sides": "fold shown_first",
        "Ranked": "side",
        "Told": "check code title severity",
        "Shortcut": "attribute",
        "Circle": "subject",
        "Channel": "name check code severity",
        "Channel.points/CodePoint": "code name",
        "Histogram": "check",
        "Cost": "stage title",
        "Headline": "level target",
    }.items()
}

# Strings that are no values of the rows wherever they stand: what is put where there is no value, the names of fields,
# and the roles that inputs give to turns.
WORDS = frozenset(
    (
        *("(none)", "all", "chosen first", "rejected first", "Text", "Input", "Response", "Chosen response"),
        *("Rejected response", "turn", "system", "user", "assistant", "human", "gpt", "tool", "function", "developer"),
    )
)
