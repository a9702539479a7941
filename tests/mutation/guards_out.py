"""Guards of what leaves a run: provenance, text that reaches people, the network."""

from __future__ import annotations

from mutation.guard import CONFINEMENT, PROVENANCE, TEXT, Guard, never, without

_SCAN = "tests/cli/test_cli_scan.py::"
_MERKLE = "tests/verify/test_merkle.py::"
_TAMPERING = "tests/verify/test_tampering.py::"
_FORGED = "tests/verify/test_forgeries.py::"
_SINKS = "tests/text_sinks/test_text_sinks.py::test_what_comes_out_can_be_seen"
_TEXTS = "tests/test_foundation.py::"
_REPORT = "tests/report/test_report_build.py::"
_REDACT = "tests/report/test_redact.py::"
_SARIF = "tests/report/test_sarif.py::"
_SERVER = "tests/cli/test_review_server.py::"
_ENVIRONMENT = "tests/flows/test_flow_environment.py::"
_OFFLINE = "tests/confinement/test_offline.py::"

_CHECK = "audit/attest/check.py"
_MANIFEST = "audit/attest/manifest.py"
_NAMES = "audit/attest/names.py"
_TREE = "audit/attest/merkle.py"
_BOARD = "audit/cli/review_server.py"


def _tampered(name: str) -> str:
    return f"{_TAMPERING}test_tampering_is_caught_and_named[{name}]"


_ATTESTED: tuple[Guard, ...] = (
    never(
        PROVENANCE,
        _CHECK,
        'if (digest.hexdigest(), size) != (said["sha256"], said["size_bytes"]):',
        _tampered("cut the last line end"),
    ),
    without(
        PROVENANCE, _CHECK, "if roles.get(name) in _MAY_STAY_BEHIND:", _tampered("drop a file"), instead="if True:"
    ),
    without(
        PROVENANCE,
        _CHECK,
        "if sign.signed_by(content, stored[name], key)",
        _tampered("swap the key"),
        instead="if True",
    ),
    without(
        PROVENANCE,
        _CHECK,
        'found.add("missing", _own(found.record, name), "There is no such signature, and one was asked for.")',
        _tampered("drop the signature"),
    ),
    never(PROVENANCE, _CHECK, "if trees.get(tree) != said:", _tampered("edit the ledger and its hash")),
    without(
        PROVENANCE,
        _CHECK,
        'for sentence in differences(part["row"].to_list(), wanted, there):',
        _tampered("flip a byte in a row"),
        _tampered("swap two rows"),
        instead="for sentence in ():",
    ),
    never(
        PROVENANCE,
        _CHECK,
        'if file["rows"] != part.height:',
        f"{_FORGED}test_a_count_of_rows_that_the_ledger_does_not_give",
    ),
    never(
        PROVENANCE,
        _CHECK,
        'if not ledger["row"].equals(pl.int_range(ledger.height, eager=True)):',
        f"{_FORGED}test_a_ledger_that_does_not_hold_each_row_once",
    ),
    never(PROVENANCE, _CHECK, 'if counts(ledger) != facts["counts"]:', _tampered("edit the manifest's counts")),
    never(PROVENANCE, _CHECK, "if records != ledger.height:", f"{_FORGED}test_fewer_records_than_were_read"),
    never(
        PROVENANCE,
        _CHECK,
        'if hashlib.sha256(config["text"].encode("utf-8", "surrogatepass")).hexdigest() != config["sha256"]:',
        _tampered("edit the settings in the manifest"),
    ),
    never(
        PROVENANCE, _CHECK, "if (role, at) not in have:", f"{_FORGED}test_rows_whose_file_is_left_out_of_the_manifest"
    ),
    never(PROVENANCE, _CHECK, "if there != statement.render(content, found.facts):", _tampered("edit the statement")),
    without(PROVENANCE, _CHECK, "_extra(found, {*allow, *others})", _tampered("add .git/x")),
    never(PROVENANCE, _CHECK, 'if sort == "link":', f"{_FORGED}test_a_link_in_the_place_of_an_allowed_file_is_named"),
    without(
        PROVENANCE,
        _NAMES,
        "os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK",
        _tampered("a link in the place of a file"),
        instead="os.O_RDONLY | os.O_NONBLOCK",
    ),
    without(
        PROVENANCE,
        _NAMES,
        "os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW",
        f"{_FORGED}test_no_folder_is_entered_through_a_link",
        instead="os.O_RDONLY | os.O_DIRECTORY",
    ),
    without(
        PROVENANCE,
        _MANIFEST,
        "or not all(map(safe, names)):",
        f"{_TAMPERING}test_a_path_of_the_manifest_leads_nowhere_else",
        instead=":",
    ),
    without(
        PROVENANCE,
        _MANIFEST,
        'raise Malformed("a path of its files lies in the record itself")',
        f"{_TAMPERING}test_a_path_of_the_manifest_leads_nowhere_else",
    ),
    without(
        PROVENANCE,
        _MANIFEST,
        "object_pairs_hook=_once",
        f"{_FORGED}test_a_key_that_stands_twice_in_a_manifest",
        instead="object_pairs_hook=dict",
    ),
    without(
        PROVENANCE,
        _TREE,
        'hashlib.sha256(b"\\x00" + data)',
        f"{_MERKLE}test_the_top_node_is_that_of_the_published_test_vectors",
        instead="hashlib.sha256(data)",
    ),
    without(
        PROVENANCE,
        _TREE,
        'b"\\x02" + count.to_bytes(8, "big") + top',
        f"{_MERKLE}test_a_node_is_no_leaf_and_a_smaller_tree_no_larger_one",
        instead='b"\\x02" + top',
    ),
    without(
        PROVENANCE,
        _TREE,
        "[s.left for s in steps] == _sides(index, count)",
        f"{_MERKLE}test_a_path_proves_no_other_place",
        instead="True",
    ),
    without(
        PROVENANCE,
        "audit/verify.py",
        "strange = tuple(_strangers(run, set(expected) | set(allow)))",
        "tests/verify/test_documents.py::test_a_run_directory_with_a_file_too_many_is_not_as_written",
        instead="strange = ()",
    ),
    without(
        PROVENANCE,
        "audit/verify.py",
        "if name not in missing and sha256_file(run / name) != hashed]",
        "tests/cli/test_cli_commands.py::test_verify_finds_a_changed_and_a_missing_file",
        instead="if False]",
    ),
)

_SHOWN: tuple[Guard, ...] = (
    without(
        TEXT, "audit/text.py", "category in _HIDDEN_CATEGORIES", f"{_TEXTS}test_safe_text_spells_out", instead="False"
    ),
    without(TEXT, "audit/text.py", 'or category == "Zs"', f"{_TEXTS}test_safe_text_spells_out", instead=""),
    without(
        TEXT,
        "audit/text.py",
        "or 0xE0100 <= code <= 0xE01EF",
        f"{_TEXTS}test_what_shows_nothing_is_spelled_out",
        instead="",
    ),
    without(
        TEXT,
        "audit/text.py",
        'return "\'" + cell if _FORMULA.match(cell) else cell',
        f"{_TEXTS}test_what_a_spreadsheet_would_run_is_quoted",
        instead="return cell",
    ),
    without(
        TEXT,
        "audit/errors.py",
        "safe_text(line, _MOST) for line in lines",
        f"{_SINKS}[exceptions]",
        instead="line for line in lines",
    ),
    without(
        TEXT,
        "audit/cli/guarded.py",
        "return no_command(safe_text(super().getMessage(), _MOST))",
        f"{_SINKS}[log records of libraries]",
        instead="return super().getMessage()",
    ),
    without(
        TEXT,
        "audit/cli/guarded.py",
        "shown.append(no_command(part) if blank else _no_bracket(part))",
        "tests/text_sinks/test_escape_functions.py::test_no_line_of_a_log_is_a_command[]",
        instead="shown.append(part)",
    ),
    without(
        TEXT,
        "audit/remedies/relabel.py",
        "return csv_safe(safe_text(text, newlines=True))",
        "tests/remedies/test_relabel_queue.py::test_no_cell_is_a_formula_and_nothing_unseen_is_in_a_table",
        instead="return text",
    ),
    without(
        TEXT,
        "audit/cli/words.py",
        "Text(safe_text(text, limit), style=style)",
        f"{_SCAN}test_row_text_is_never_shown_raw",
        instead="Text(text, style=style)",
    ),
    without(
        TEXT,
        "audit/cli/guarded.py",
        'safe_text("".join(traceback.format_exception(error)), _MOST, newlines=True)',
        f"{_SCAN}test_a_fault_of_ours_exits_3_and_shows_nothing_raw",
        instead='"".join(traceback.format_exception(error))',
    ),
    without(
        TEXT,
        "audit/report/html.py",
        "autoescape=True",
        f"{_REPORT}test_hostile_text_adds_no_element_and_no_attribute",
        instead="autoescape=False",
    ),
    without(
        TEXT,
        "audit/report/html.py",
        "finalize=_finalize,",
        f"{_REPORT}test_no_invisible_character_stands_raw_in_any_output",
        instead="",
    ),
    without(
        TEXT,
        "audit/report/html.py",
        "default-src 'none'; style-src",
        f"{_REPORT}test_the_policy_lets_only_our_own_style_and_script_run",
        instead="style-src",
    ),
    without(
        TEXT,
        "audit/report/inert.py",
        ".translate(_LOOKS)",
        f"{_SARIF}test_hostile_text_is_no_markup_in_a_message",
        instead="",
    ),
    without(
        TEXT,
        "audit/report/inert.py",
        "return _LINK.sub(lambda found: _LINK_LOOKS[found.group()], shown)",
        f"{_SARIF}test_hostile_text_is_no_markup_in_a_message",
        instead="return shown",
    ),
    without(
        TEXT,
        "flows/artifacts.py",
        'lambda m: f"&#{ord(m.group())};"',
        "tests/flows/test_flow_audit.py::test_no_markup_survives_in_artifacts",
        instead="lambda m: m.group()",
    ),
    never(
        TEXT,
        "audit/report/redact.py",
        "if isinstance(value, str) and not keep:",
        f"{_REDACT}test_what_is_not_named_is_redacted",
    ),
    without(
        TEXT,
        "audit/report/redact.py",
        'old.reason.split(":")[0][:60] if old.status == "failed" else old.reason',
        f"{_REDACT}test_a_failed_check_names_its_error_and_not_its_message",
        instead="old.reason",
    ),
)

_CONFINED: tuple[Guard, ...] = (
    without(
        CONFINEMENT,
        "flows/environment.py",
        '"DO_NOT_TRACK": "1",',
        f"{_ENVIRONMENT}test_telemetry_is_off_whatever_was_set",
        instead="",
    ),
    without(
        CONFINEMENT,
        "flows/environment.py",
        '"PREFECT_LOGGING_TO_API_ENABLED": "false",',
        f"{_ENVIRONMENT}test_telemetry_is_off_whatever_was_set",
        instead="",
    ),
    without(
        CONFINEMENT,
        "audit/cli/scan.py",
        'os.environ.setdefault("HF_HUB_OFFLINE", "1")',
        f"{_OFFLINE}test_the_hub_is_off_unless_it_is_named",
    ),
    without(
        CONFINEMENT, _BOARD, "            self._check_host()\n", f"{_SERVER}test_another_host_is_refused", instead=""
    ),
    without(
        CONFINEMENT,
        _BOARD,
        "        self._check_origin()\n",
        f"{_SERVER}test_a_foreign_origin_writes_nothing",
        instead="",
    ),
    without(
        CONFINEMENT,
        _BOARD,
        "if not _equal(first, self.server.token) or",
        f"{_SERVER}test_nothing_else_is_served",
        instead="if",
    ),
    without(
        CONFINEMENT,
        _BOARD,
        "super().__init__((HOST, port), _Handler)",
        f"{_SERVER}test_only_this_machine_is_listened_to",
        instead='super().__init__(("0.0.0.0", port), _Handler)',
    ),
    without(
        CONFINEMENT,
        "flows/server.py",
        'host="127.0.0.1",',
        f"{_OFFLINE}test_the_embedded_server_listens_to_this_machine_alone",
        instead='host="0.0.0.0",',
    ),
)

GUARDS = (*_ATTESTED, *_SHOWN, *_CONFINED)
