"""Guards of a run: writing, the lock, memory, Prefect, verdicts, rounding, keys."""

from __future__ import annotations

from mutation.guard import (
    CONFINEMENT,
    CRASHES,
    DETERMINISM,
    PROOF,
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
_LOST = "tests/flows/test_flow_lost.py::"

_WRITES = "audit/durable.py"
_LOCK = "audit/lock.py"
_VERDICTS = "audit/decide.py"
_RANKING = "audit/remedies/ranking.py"
_SLICES = "audit/remedies/slices.py"


_CRASHED: tuple[Guard, ...] = (
    without(
        CRASHES,
        _WRITES,
        "os.fsync(self._buffer.fileno())",
        f"{_DURABLE}test_the_file_is_synced_before_its_name_and_the_folder_after",
    ),
    without(
        CRASHES, _WRITES, "os.fsync(number)", f"{_DURABLE}test_the_file_is_synced_before_its_name_and_the_folder_after"
    ),
    without(
        CRASHES,
        _WRITES,
        "temporary = _beside(path)",
        f"{_RUNDIR}test_a_file_appears_whole_or_not_at_all",
        f"{_RUNDIR}test_an_error_leaves_the_old_file_and_nothing_else",
        instead="temporary = path",
    ),
    without(
        CRASHES,
        _WRITES,
        "temporary.unlink(missing_ok=True)",
        f"{_RUNDIR}test_an_error_leaves_the_old_file_and_nothing_else",
    ),
    without(CRASHES, _WRITES, "temporary.unlink()", f"{_DURABLE}test_a_temporary_name_that_is_a_link_is_not_followed"),
    without(
        CONFINEMENT,
        _WRITES,
        'super().__init__(path, "xb")',
        f"{_DURABLE}test_a_link_that_is_put_in_place_of_the_temporary_name_is_refused",
        instead='super().__init__(path, "wb")',
    ),
    never(
        CRASHES,
        _WRITES,
        "if isinstance(cause, OSError):",
        f"{_DURABLE}test_a_refused_step_leaves_the_old_file_whoever_writes",
    ),
    without(
        CRASHES,
        _WRITES,
        'if int(match["pid"]) == os.getpid() or not alive(int(match["pid"])):',
        f"{_DURABLE}test_what_a_killed_process_left_is_swept_and_what_runs_is_let_be",
        instead="if True:",
    ),
    without(
        CRASHES, "audit/errors.py", "exit_code = EXIT_WRITE", f"{_SCAN}test_a_folder_that_cannot_be_written_exits_74"
    ),
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
    without(
        CRASHES,
        "audit/rundir.py",
        "durable.sweep(self.path)",
        f"{_RUNDIR}test_who_takes_the_lock_sweeps_what_a_killed_process_left",
    ),
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
    without(
        CRASHES,
        "audit/cli/endings.py",
        "signal.signal(signal.SIGTERM, _heard)",
        f"{_SCANS}test_a_stale_lock_does_not_block[TERM]",
    ),
)

_PROVED: tuple[Guard, ...] = (
    never(
        PROOF,
        _VERDICTS,
        'if loose := sorted(removed - claimed - set(decided["row"].to_list())):',
        f"{_WEAPON}test_a_row_is_removed_by_a_confirmed_trigger_or_a_person_and_by_nothing_else",
    ),
    never(
        PROOF,
        _VERDICTS,
        'if verdicts["row"].to_list() != list(range(rows)):',
        f"{_WEAPON}test_a_row_is_removed_by_a_confirmed_trigger_or_a_person_and_by_nothing_else",
    ),
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
    without(
        PROOF,
        _SLICES,
        "max(_LEAST_SHARE, _TIMES * rest)",
        f"{_WEAPON}test_a_small_slice_and_a_small_share_alarm_nobody",
        instead="0",
    ),
    without(
        PROOF,
        _RANKING,
        "if len(ranked) <= _FLOOD * places:",
        f"{_DECOYS}test_fifty_thousand_decoys_leave_room_in_the_review_budget",
        instead="if True:",
    ),
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
    without(
        DETERMINISM,
        _RANKING,
        ".round(DIGITS)\n",
        f"{_DETERMINISM}test_the_last_bits_of_a_score_move_no_row_over_a_threshold",
        instead="\n",
    ),
    without(
        DETERMINISM,
        _RANKING,
        "-marks[0].excess, row",
        f"{_DETERMINISM}test_scores_that_are_equal_after_rounding_are_ordered_by_row",
        instead="-marks[0].excess, -row",
    ),
    without(
        DETERMINISM,
        _RANKING,
        "away < STEP",
        f"{_DETERMINISM}test_rows_within_rounding_of_a_threshold_or_of_the_end_of_the_budget_are_listed",
        instead="away < 0",
    ),
    without(
        DETERMINISM,
        "audit/stages.py",
        ", batch_plan(config.model)]",
        f"{_DETERMINISM}test_a_device_and_a_precision_are_part_of_the_key_of_embeddings",
        instead="]",
    ),
    without(
        DETERMINISM,
        "audit/rundir.py",
        "indent=1, sort_keys=True",
        f"{_RUNDIR}test_equal_values_are_equal_bytes",
        instead="indent=1",
    ),
    without(
        DETERMINISM,
        "audit/remedies/writers.py",
        "fileobj=handle, mtime=0)",
        "tests/remedies/test_clean.py::test_the_same_rows_give_the_same_compressed_bytes[.gz]",
        instead="fileobj=handle)",
    ),
    without(
        DETERMINISM,
        "audit/sources/files.py",
        "sorted(found), skipped, str(root)",
        f"{_DETERMINISM}test_the_files_of_a_folder_are_read_by_name",
        instead="found[::-1], skipped, str(root)",
    ),
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

GUARDS = (*_CRASHED, *_PROVED, *_SAME)
