"""Guards of a run: writing, the lock, verdicts, rounding, provenance, text, Prefect, confinement."""

from __future__ import annotations

from mutation.guard import (
    CONFINEMENT,
    CRASHES,
    DETERMINISM,
    PROOF,
    PROVENANCE,
    TEXT,
    Guard,
    never,
    without,
)

_DURABLE = "tests/crash/test_durable.py::"
_RUNDIR = "tests/test_foundation_rundir.py::"
_SCAN = "tests/cli/test_cli_scan.py::"
_SCANS = "tests/crash/test_two_scans.py::"
_MEMORY = "tests/crash/test_memory.py::"
_DECIDE = "tests/test_decide.py::"
_WEAPON = "tests/test_cleaner_as_weapon.py::"
_DECOYS = "tests/test_decoys.py::"
_DETERMINISM = "tests/determinism/test_determinism.py::"
_MERKLE = "tests/verify/test_merkle.py::"
_FORGED = "tests/verify/test_forgeries.py::"
_TEXTS = "tests/test_foundation.py::"
_REPORT = "tests/report/test_report_build.py::"
_REDACT = "tests/report/test_redact.py::"
_SERVER = "tests/cli/test_review_server.py::"
_LOST = "tests/flows/test_flow_lost.py::"

_WRITES = "audit/durable.py"
_LOCK = "audit/lock.py"
_VERDICTS = "audit/decide.py"
_RANKING = "audit/remedies/ranking.py"
_SLICES = "audit/remedies/slices.py"
_CHECK = "audit/attest/check.py"
_MANIFEST = "audit/attest/manifest.py"
_NAMES = "audit/attest/names.py"
_BOARD = "audit/cli/review_server.py"


def _tampered(name: str) -> str:
    return f"tests/verify/test_tampering.py::test_tampering_is_caught_and_named[{name}]"


_CRASHED: tuple[Guard, ...] = (
    without(CRASHES, _WRITES, "os.fsync(self._buffer.fileno())", f"{_DURABLE}test_the_file_is_synced_before_its_name_and_the_folder_after"),
    without(CRASHES, _WRITES, "os.fsync(number)", f"{_DURABLE}test_the_file_is_synced_before_its_name_and_the_folder_after"),
    without(
        CRASHES,
        _WRITES,
        "temporary = _beside(path)",
        f"{_RUNDIR}test_a_file_appears_whole_or_not_at_all",
        f"{_RUNDIR}test_an_error_leaves_the_old_file_and_nothing_else",
        instead="temporary = path",
    ),
    without(CRASHES, _WRITES, "temporary.unlink(missing_ok=True)", f"{_RUNDIR}test_an_error_leaves_the_old_file_and_nothing_else"),
    without(CRASHES, _WRITES, "temporary.unlink()", f"{_DURABLE}test_a_temporary_name_that_is_a_link_is_not_followed"),
    without(
        CONFINEMENT,
        _WRITES,
        'super().__init__(path, "xb")',
        f"{_DURABLE}test_a_link_that_is_put_in_place_of_the_temporary_name_is_refused",
        instead='super().__init__(path, "wb")',
    ),
    never(CRASHES, _WRITES, "if isinstance(cause, OSError):", f"{_DURABLE}test_a_refused_step_leaves_the_old_file_whoever_writes"),
    without(
        CRASHES,
        _WRITES,
        'if int(match["pid"]) == os.getpid() or not alive(int(match["pid"])):',
        f"{_DURABLE}test_what_a_killed_process_left_is_swept_and_what_runs_is_let_be",
        instead="if True:",
    ),
    without(CRASHES, "audit/errors.py", "exit_code = EXIT_WRITE", f"{_SCAN}test_a_folder_that_cannot_be_written_exits_74"),
    without(CRASHES, "audit/errors.py", "exit_code = EXIT_BUSY", f"{_SCAN}test_a_held_run_directory_exits_75"),
    without(
        CRASHES,
        _LOCK,
        "fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        f"{_RUNDIR}test_a_second_process_finds_the_directory_busy_until_the_first_dies",
    ),
    without(CRASHES, _LOCK, " | os.O_NOFOLLOW", f"{_SCANS}test_a_lock_file_that_is_a_link_is_refused", instead=""),
    without(
        CRASHES,
        _LOCK,
        "if _stands(path, number):",
        f"{_SCANS}test_a_lock_whose_folder_was_taken_away_is_taken_anew",
        instead="if True:",
    ),
    without(CRASHES, "audit/rundir.py", "durable.sweep(self.path)", f"{_RUNDIR}test_who_takes_the_lock_sweeps_what_a_killed_process_left"),
    without(
        CRASHES,
        "audit/rundir.py",
        'marker["key"] == key and all(',
        f"{_RUNDIR}test_a_unit_is_done_for_its_key_while_its_outputs_stand",
        instead='marker["key"] == key or all(',
    ),
    without(
        CRASHES,
        "audit/remedies/targets.py",
        "        _take_back(plan, targets.out.parent)\n        raise\n",
        "tests/remedies/test_apply.py::test_a_failed_write_leaves_nothing",
        instead="        raise\n",
    ),
    without(
        CRASHES,
        "audit/models/encoder.py",
        "except torch.cuda.OutOfMemoryError:",
        f"{_MEMORY}test_embeddings_are_the_same_when_a_batch_does_not_fit",
        instead="except ZeroDivisionError:",
    ),
    without(
        CRASHES,
        "audit/models/training.py",
        "optimiser.zero_grad(set_to_none=True)",
        f"{_MEMORY}test_half_a_step_that_did_not_fit_leaves_no_gradient",
        f"{_MEMORY}test_a_training_is_the_same_when_a_step_does_not_fit",
    ),
    without(
        CRASHES,
        "flows/engine.py",
        "            self._lost(ledger, error)\n            LocalEngine().run(run_dir, ledger)\n",
        f"{_LOST}test_a_server_that_cannot_be_made_is_done_without",
        instead="            raise\n",
    ),
    never(CRASHES, "flows/server.py", "if vain >= _LOOKS:", f"{_LOST}test_a_server_that_no_longer_answers_is_ended"),
    without(CRASHES, "audit/cli/endings.py", "signal.signal(signal.SIGTERM, _heard)", f"{_SCANS}test_a_stale_lock_does_not_block[TERM]"),
)

_PROVED: tuple[Guard, ...] = (
    never(PROOF, _VERDICTS, "if loose := sorted(removed - claimed - set(decided[\"row\"].to_list())):", f"{_WEAPON}test_a_row_is_removed_by_a_confirmed_trigger_or_a_person_and_by_nothing_else"),
    never(PROOF, _VERDICTS, 'if verdicts["row"].to_list() != list(range(rows)):', f"{_WEAPON}test_a_row_is_removed_by_a_confirmed_trigger_or_a_person_and_by_nothing_else"),
    without(
        PROOF,
        _VERDICTS,
        "verdict = Verdict.REMOVE if trigger.status == Status.CONFIRMED else Verdict.REVIEW",
        f"{_DECIDE}test_suspected_rows_go_to_review_outside_the_budget_and_confirmed_wins",
        instead="verdict = Verdict.REMOVE",
    ),
    without(
        PROOF,
        _VERDICTS,
        "if (trigger.status not in (Status.CONFIRMED, Status.SUSPECTED) and not untested) or trigger.looks_honest:",
        f"{_DECIDE}test_a_trigger_that_is_not_proved_touches_nothing",
        instead="if trigger.looks_honest:",
    ),
    without(
        PROOF,
        _VERDICTS,
        "claims += [(row, Verdict.REVIEW)",
        f"{_DECIDE}test_carriers_whose_behavior_cannot_be_judged_go_to_review_even_of_a_confirmed_trigger",
        instead="claims += [(row, Verdict.REMOVE)",
    ),
    without(
        PROOF,
        _VERDICTS,
        "_dispute(state.setdefault(row, _Row()))",
        f"{_WEAPON}test_contradicting_copies_are_asked_about_outside_the_budget_and_nothing_is_proposed",
    ),
    without(
        PROOF,
        _VERDICTS,
        " and row not in disputed:",
        f"{_WEAPON}test_contradicting_copies_are_asked_about_outside_the_budget_and_nothing_is_proposed",
        instead=":",
    ),
    without(
        PROOF,
        _VERDICTS,
        "str(Verdict.UNREADABLE if unreadable else entry.verdict)",
        f"{_DECIDE}test_unreadable_rows_stay_unreadable_whatever_claims_them",
        instead="str(entry.verdict)",
    ),
    without(
        PROOF,
        "audit/artifacts/support.py",
        "heard = disputed == conflicts.NO_GROUP",
        "tests/artifacts/test_support.py::test_contradicting_copies_are_heard_by_no_fit",
        instead="heard = disputed == disputed",
    ),
    without(
        PROOF,
        _SLICES,
        "if q <= _Q and hit / total >= max(_LEAST_SHARE, _TIMES * rest):",
        f"{_WEAPON}test_a_source_that_loses_far_more_than_the_rest_raises_an_alarm",
        instead="if False:",
    ),
    without(PROOF, _SLICES, "max(_LEAST_SHARE, _TIMES * rest)", f"{_WEAPON}test_a_small_slice_and_a_small_share_alarm_nobody", instead="0"),
    without(PROOF, _RANKING, "if len(ranked) <= _FLOOD * places:", f"{_DECOYS}test_fifty_thousand_decoys_leave_room_in_the_review_budget", instead="if True:"),
    without(
        PROOF,
        "audit/report/read.py",
        'return found.sort(rank, turn, pl.col("check") != "triggers", "check", descending=[True, False, False, False])',
        f"{_DECOYS}test_findings_are_ranked_by_group_so_that_no_check_fills_the_first_twenty",
        instead="return found",
    ),
    never(
        PROOF,
        "audit/remedies/decisions.py",
        "if len({d.said for d in counted}) > 1:",
        "tests/remedies/test_decisions.py::test_two_reviewers_who_disagree_are_a_conflict_and_who_agree_are_not",
    ),
    without(
        PROOF,
        "audit/remedies/decisions.py",
        "if made.decision == LEGITIMATE and not made.why.strip():",
        "tests/remedies/test_decisions.py::test_a_bad_line_is_named_with_its_number_and_its_fault",
        instead="if False:",
    ),
)

_SAME: tuple[Guard, ...] = (
    without(DETERMINISM, _RANKING, ".round(DIGITS)\n", f"{_DETERMINISM}test_the_last_bits_of_a_score_move_no_row_over_a_threshold", instead="\n"),
    without(DETERMINISM, _RANKING, "-marks[0].excess, row", f"{_DETERMINISM}test_scores_that_are_equal_after_rounding_are_ordered_by_row", instead="-marks[0].excess, -row"),
    without(DETERMINISM, _RANKING, "away < STEP", f"{_DETERMINISM}test_rows_within_rounding_of_a_threshold_or_of_the_end_of_the_budget_are_listed", instead="away < 0"),
    without(DETERMINISM, "audit/stages.py", ", batch_plan(config.model)]", f"{_DETERMINISM}test_a_device_and_a_precision_are_part_of_the_key_of_embeddings", instead="]"),
    without(DETERMINISM, "audit/rundir.py", "indent=1, sort_keys=True", f"{_RUNDIR}test_equal_values_are_equal_bytes", instead="indent=1"),
    without(DETERMINISM, "audit/remedies/writers.py", "fileobj=handle, mtime=0)", "tests/remedies/test_clean.py::test_the_same_rows_give_the_same_compressed_bytes[.gz]", instead="fileobj=handle)"),
    without(DETERMINISM, "audit/sources/files.py", "sorted(found), skipped, str(root)", f"{_DETERMINISM}test_the_files_of_a_folder_are_read_by_name", instead="found[::-1], skipped, str(root)"),
    without(
        DETERMINISM,
        "audit/pipeline.py",
        "reads = {name: run.outputs(name) for name in row.reads}",
        "tests/test_pipeline.py::test_another_review_budget_redoes_the_verdicts_and_what_follows",
        instead="reads = {}",
    ),
    without(
        DETERMINISM,
        "audit/pipeline.py",
        "unit, row.settings(config, unit), reads)",
        "tests/test_pipeline.py::test_another_review_budget_redoes_the_verdicts_and_what_follows",
        instead="unit, reads)",
    ),
)

_ATTESTED: tuple[Guard, ...] = (
    never(PROVENANCE, _CHECK, 'if (digest.hexdigest(), size) != (said["sha256"], said["size_bytes"]):', _tampered("cut the last line end")),
    without(PROVENANCE, _CHECK, "if roles.get(name) in _MAY_STAY_BEHIND:", _tampered("drop a file"), instead="if True:"),
    without(PROVENANCE, _CHECK, "elif sign.signed_by(content, signature, key):", _tampered("swap the key"), instead="elif True:"),
    without(PROVENANCE, _CHECK, 'found.add("missing", name, "There is no signature, and a key was given.")', _tampered("drop the signature")),
    never(PROVENANCE, _CHECK, "if trees.get(tree) != said:", _tampered("edit the ledger and its hash")),
    without(
        PROVENANCE,
        _CHECK,
        'for sentence in differences(part["row"].to_list(), wanted, there):',
        _tampered("flip a byte in a row"),
        _tampered("swap two rows"),
        instead="for sentence in ():",
    ),
    never(PROVENANCE, _CHECK, 'if file["rows"] != part.height:', f"{_FORGED}test_a_count_of_rows_that_the_ledger_does_not_give"),
    never(PROVENANCE, _CHECK, 'if not ledger["row"].equals(pl.int_range(ledger.height, eager=True)):', f"{_FORGED}test_a_ledger_that_does_not_hold_each_row_once"),
    never(PROVENANCE, _CHECK, 'if counts(ledger) != facts["counts"]:', _tampered("edit the manifest's counts")),
    never(PROVENANCE, _CHECK, "if records != ledger.height:", f"{_FORGED}test_fewer_records_than_were_read"),
    never(
        PROVENANCE,
        _CHECK,
        'if hashlib.sha256(config["text"].encode("utf-8", "surrogatepass")).hexdigest() != config["sha256"]:',
        _tampered("edit the settings in the manifest"),
    ),
    never(PROVENANCE, _CHECK, "if (role, at) not in have:", f"{_FORGED}test_rows_whose_file_is_left_out_of_the_manifest"),
    never(PROVENANCE, _CHECK, "if there != statement.render(content, found.facts):", _tampered("edit the statement")),
    without(PROVENANCE, _CHECK, "_extra(found, {*allow, *others})", _tampered("add .git/x")),
    never(PROVENANCE, _CHECK, 'if sort == "link":', f"{_FORGED}test_a_link_in_the_place_of_an_allowed_file_is_named"),
    without(PROVENANCE, _NAMES, "os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK", _tampered("a link in the place of a file"), instead="os.O_RDONLY | os.O_NONBLOCK"),
    without(
        PROVENANCE,
        _NAMES,
        "os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW",
        f"{_FORGED}test_no_folder_is_entered_through_a_link",
        instead="os.O_RDONLY | os.O_DIRECTORY",
    ),
    without(PROVENANCE, _MANIFEST, "or not all(map(safe, names)):", "tests/verify/test_tampering.py::test_a_path_of_the_manifest_leads_nowhere_else", instead=":"),
    without(PROVENANCE, _MANIFEST, 'raise Malformed("a path of its files lies in the record itself")', "tests/verify/test_tampering.py::test_a_path_of_the_manifest_leads_nowhere_else"),
    without(PROVENANCE, _MANIFEST, "object_pairs_hook=_once", f"{_FORGED}test_a_key_that_stands_twice_in_a_manifest", instead="object_pairs_hook=dict"),
    without(PROVENANCE, "audit/attest/merkle.py", 'hashlib.sha256(b"\\x00" + data)', f"{_MERKLE}test_a_node_is_no_leaf_and_a_smaller_tree_no_larger_one", instead="hashlib.sha256(data)"),
    without(PROVENANCE, "audit/attest/merkle.py", 'b"\\x02" + count.to_bytes(8, "big") + top', f"{_MERKLE}test_a_node_is_no_leaf_and_a_smaller_tree_no_larger_one", instead='b"\\x02" + top'),
    without(PROVENANCE, "audit/attest/merkle.py", "[s.left for s in steps] == _sides(index, count)", f"{_MERKLE}test_a_path_proves_no_other_place", instead="True"),
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
    without(TEXT, "audit/text.py", "category in _HIDDEN_CATEGORIES", f"{_TEXTS}test_safe_text_spells_out", instead="False"),
    without(TEXT, "audit/text.py", 'or category == "Zs"', f"{_TEXTS}test_safe_text_spells_out", instead=""),
    without(TEXT, "audit/text.py", "or 0xE0100 <= code <= 0xE01EF", f"{_TEXTS}test_what_shows_nothing_is_spelled_out", instead=""),
    without(TEXT, "audit/text.py", 'return "\'" + cell if cell[:1] in', f"{_TEXTS}test_what_a_spreadsheet_would_run_is_quoted", instead='return cell if cell[:1] in'),
    without(TEXT, "audit/remedies/relabel.py", "return csv_safe(safe_text(text, newlines=True))", "tests/remedies/test_relabel_queue.py::test_no_cell_is_a_formula_and_nothing_unseen_is_in_a_table", instead="return text"),
    without(TEXT, "audit/cli/words.py", "Text(safe_text(text, limit), style=style)", f"{_SCAN}test_row_text_is_never_shown_raw", instead="Text(text, style=style)"),
    without(TEXT, "audit/cli/app.py", "safe_text(traceback.format_exc(), newlines=True)", f"{_SCAN}test_a_fault_of_ours_exits_3_and_shows_nothing_raw", instead="traceback.format_exc()"),
    without(TEXT, "audit/report/html.py", "autoescape=True", f"{_REPORT}test_hostile_text_adds_no_element_and_no_attribute", instead="autoescape=False"),
    without(TEXT, "audit/report/html.py", "finalize=_finalize,", f"{_REPORT}test_no_invisible_character_stands_raw_in_any_output", instead=""),
    without(TEXT, "audit/report/html.py", "default-src 'none'; style-src", f"{_REPORT}test_the_policy_lets_only_our_own_style_and_script_run", instead="style-src"),
    without(TEXT, "audit/report/inert.py", ".translate(_LOOKS)", "tests/report/test_sarif.py::test_hostile_text_is_no_markup_in_a_message", instead=""),
    without(TEXT, "audit/report/inert.py", "return _LINK.sub(lambda found: _LINK_LOOKS[found.group()], shown)", "tests/report/test_sarif.py::test_hostile_text_is_no_markup_in_a_message", instead="return shown"),
    without(TEXT, "flows/artifacts.py", 'lambda m: f"&#{ord(m.group())};"', "tests/flows/test_flow_audit.py::test_no_markup_survives_in_artifacts", instead="lambda m: m.group()"),
    never(TEXT, "audit/report/redact.py", "if isinstance(value, str) and not keep:", f"{_REDACT}test_what_is_not_named_is_redacted"),
    without(TEXT, "audit/report/redact.py", 'old.reason.split(":")[0][:60] if old.status == "failed" else old.reason', f"{_REDACT}test_a_failed_check_names_its_error_and_not_its_message", instead="old.reason"),
)

_CONFINED: tuple[Guard, ...] = (
    without(CONFINEMENT, "flows/environment.py", '"DO_NOT_TRACK": "1",', "tests/flows/test_flow_environment.py::test_telemetry_is_off_whatever_was_set", instead=""),
    without(CONFINEMENT, "flows/environment.py", '"PREFECT_LOGGING_TO_API_ENABLED": "false",', "tests/flows/test_flow_environment.py::test_telemetry_is_off_whatever_was_set", instead=""),
    without(CONFINEMENT, "audit/cli/scan.py", 'os.environ.setdefault("HF_HUB_OFFLINE", "1")', "tests/confinement/test_offline.py::test_the_hub_is_off_unless_it_is_named"),
    without(CONFINEMENT, _BOARD, "            self._check_host()\n", f"{_SERVER}test_another_host_is_refused", instead=""),
    without(CONFINEMENT, _BOARD, "        self._check_origin()\n", f"{_SERVER}test_a_foreign_origin_writes_nothing", instead=""),
    without(CONFINEMENT, _BOARD, "if not _equal(first, self.server.token) or", f"{_SERVER}test_nothing_else_is_served", instead="if"),
    without(CONFINEMENT, _BOARD, "super().__init__((HOST, port), _Handler)", f"{_SERVER}test_only_this_machine_is_listened_to", instead='super().__init__(("0.0.0.0", port), _Handler)'),
    without(CONFINEMENT, "flows/server.py", 'host="127.0.0.1",', "tests/confinement/test_offline.py::test_the_embedded_server_listens_to_this_machine_alone", instead='host="0.0.0.0",'),
)

GUARDS = (*_CRASHED, *_PROVED, *_SAME, *_ATTESTED, *_SHOWN, *_CONFINED)
