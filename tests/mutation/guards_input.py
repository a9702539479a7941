"""Guards of what is read: bytes, strict JSON, tables, archives, columnar files, folders."""

from __future__ import annotations

from mutation.guard import BYTES, CONFINEMENT, EXECUTED, SILENCE, Guard, never, without

_LEDGER = "tests/conservation/test_ledger.py::"
_TAMPERED = f"{_LEDGER}test_what_was_tampered_with_is_not_restored"
_CLEAN = "tests/remedies/test_clean.py::"
_LINE = "tests/sources/test_jsonl.py::test_a_bad_line_is_set_aside_with_its_bytes_and_its_place"
_CSV = "tests/sources/test_delimited.py::"
_STREAMS = "tests/sources/test_streams.py::"
_FILES = "tests/sources/test_files.py::"
_SANDBOX = "tests/sources/test_sandbox.py::"
_COLUMNAR = "tests/sources/test_columnar.py::"
_LAYOUTS = "tests/sources/test_layouts.py::"
_HOSTILE = "tests/hostile/test_files.py::test_every_hostile_file"
_SAMPLE = "tests/hostile/test_files.py::test_one_file_of_each_class"
_CHANGING = "tests/hostile/test_changing.py::"

_REGIONS = "audit/sources/regions.py"
_RESTORE = "audit/remedies/restore.py"
_PIECES = "audit/remedies/pieces.py"
_JSON = "audit/sources/strict_json.py"
_DELIMITED = "audit/sources/delimited.py"
_ARCHIVES = "audit/sources/streams.py"
_TABLES = "audit/sources/columnar.py"
_CHILD = "audit/sources/decode.py"
_PARENT = "audit/sources/sandbox.py"
_FOLDERS = "audit/sources/files.py"

_CONSERVATION: tuple[Guard, ...] = (
    without(
        BYTES,
        _REGIONS,
        'raise ConservationError(f"file {self._reading.file}: other bytes stand at {offset} than its record has")',
        f"{_LEDGER}test_a_reader_that_says_other_bytes_breaks_the_run",
    ),
    without(
        BYTES,
        _REGIONS,
        'raise ConservationError(f"file {self._reading.file}: two records claim byte {self.position + size}")',
        f"{_LEDGER}test_a_reader_that_says_other_bytes_breaks_the_run",
    ),
    never(
        BYTES,
        _RESTORE,
        "if hashlib.sha256(row.raw).hexdigest() != row.sha256:",
        f"{_TAMPERED}[a changed hash of a record]",
    ),
    never(
        BYTES,
        _RESTORE,
        "if size != file.stream_bytes or found != wanted:",
        f"{_TAMPERED}[a region changed]",
    ),
    without(
        BYTES,
        _RESTORE,
        'raise IntegrityError(f"{folder} holds bytes of file {self._next[0]}, out of order or of no input file")',
        f"{_TAMPERED}[a record added]",
    ),
    never(
        BYTES,
        _RESTORE,
        'if not parts or path.startswith("/") or ".." in parts or "\\0" in path:',
        f"{_LEDGER}test_a_run_cannot_make_restore_write_outside_of_its_folder",
    ),
    never(
        BYTES,
        _RESTORE,
        "if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):",
        f"{_LEDGER}test_restore_fills_only_an_empty_folder_and_needs_regions",
    ),
    never(
        BYTES,
        "audit/cli/restore.py",
        "if folder.resolve().is_relative_to(run.resolve()):",
        f"{_LEDGER}test_the_command_says_what_it_rebuilt_and_what_not",
    ),
    never(
        BYTES,
        "audit/remedies/fates.py",
        'if not found["row"].equals(verdicts["row"]):',
        f"{_LEDGER}test_a_fate_that_is_not_the_verdicts_is_told",
    ),
    never(
        BYTES,
        "audit/remedies/fates.py",
        'if not (found["fate"] == wanted).all():',
        f"{_LEDGER}test_a_fate_that_is_not_the_verdicts_is_told",
    ),
    never(
        BYTES,
        _PIECES,
        "if found != output.count or digest.value() != output.digest:",
        f"{_CLEAN}test_bytes_that_do_not_come_back_void_the_run",
    ),
    without(
        BYTES,
        _PIECES,
        'raise ConservationError(f"{frame.height} verdicts do not cover each of {info.rows} rows once")',
        f"{_CLEAN}test_each_law_of_the_rows_is_told_by_its_name",
    ),
    without(
        BYTES,
        _PIECES,
        'raise ConservationError(f"row {row}: the ledger and its verdict disagree on whether it can be read")',
        f"{_CLEAN}test_verdicts_that_do_not_conserve_the_rows_void_the_run",
    ),
    without(
        BYTES,
        _PIECES,
        'raise ConservationError(f"shard {name} of the ledger does not continue at row {position}")',
        f"{_CLEAN}test_each_law_of_the_rows_is_told_by_its_name",
    ),
    never(
        BYTES,
        "audit/remedies/clean.py",
        'if not tally.total() == info.rows == records or tally != Counter(verdicts["verdict"].to_list()):',
        f"{_CLEAN}test_records_that_are_known_and_were_not_read_void_the_run",
    ),
    never(
        BYTES,
        "audit/verify.py",
        'if verdicts["row"].sort().to_list() != list(range(rows)):',
        "tests/cli/test_cli_commands.py::test_verify_counts_the_rows",
    ),
    never(
        BYTES,
        "audit/remedies/apply.py",
        "if files != self.written:",
        "tests/remedies/test_apply.py::test_a_result_that_does_not_add_up_is_never_put_in_place",
    ),
)

_STRICT: tuple[Guard, ...] = (
    without(
        SILENCE,
        _JSON,
        "text = raw.decode()",
        f'{_LINE}[{{"text": "caf\\xe9", "label": 1}}-invalid_utf8]',
        instead='text = raw.decode("utf-8", "replace")',
    ),
    never(SILENCE, _JSON, "if type(value) is not dict:", f"{_SAMPLE}[valid_json,_no_object/string.gz]"),
    without(
        SILENCE,
        _JSON,
        "and _depth(value) > self._max_depth:",
        f"{_HOSTILE}[depth_over_the_cap/65.plain]",
        instead="and False:",
    ),
    without(
        SILENCE,
        _JSON,
        "except RecursionError:",
        f"{_HOSTILE}[depth_over_the_cap/100000.plain]",
        instead="except ZeroDivisionError:",
    ),
    without(
        SILENCE,
        _JSON,
        "and _has_surrogate(value):",
        f"{_HOSTILE}[lone_surrogate_in_a_text/high_lower.plain]",
        f"{_HOSTILE}[lone_surrogate_in_a_key/key.plain]",
        instead="and False:",
    ),
    never(
        SILENCE,
        _JSON,
        "if end != len(text) and text[end:].strip(_SPACE):",
        f"{_HOSTILE}[more_behind_the_object/two_objects.plain]",
    ),
    never(SILENCE, _JSON, "if len(value) != len(pairs):", f"{_HOSTILE}[duplicate_key/plain.plain]"),
    never(SILENCE, _JSON, "if len(pairs) > self._max_keys:", f"{_HOSTILE}[keys_over_the_cap/1001.plain]"),
    never(
        SILENCE,
        _JSON,
        "if len(text) > 18 and not (len(text) < 21 and _LEAST <= int(text) <= _MOST):",
        f"{_HOSTILE}[integer_beyond_64_bits/2_63.plain]",
    ),
    without(
        SILENCE,
        _JSON,
        "not math.isfinite(float(text))",
        f"{_HOSTILE}[number_without_a_value/exponent_999.plain]",
        instead="False",
    ),
    without(
        SILENCE,
        _JSON,
        ' or "E" in text',
        f"{_HOSTILE}[number_without_a_value/minus_exponent.plain]",
        instead="",
    ),
    without(
        SILENCE,
        _JSON,
        'raise RowError(Reason.NON_FINITE_NUMBER, f"{text} is not a JSON number")',
        f"{_HOSTILE}[number_without_a_value/NaN.plain]",
        instead="return None",
    ),
    never(
        SILENCE,
        _DELIMITED,
        "if len(set(columns)) != len(columns):",
        f"{_CSV}test_a_bad_header_sets_every_row_aside_and_names_why",
    ),
    without(
        SILENCE,
        _DELIMITED,
        'raise RowError(Reason.RAGGED_ROW, f"the row has {len(cells)} fields, the header {len(columns)}")',
        f"{_CSV}test_a_bad_row_costs_itself_only",
        instead='cells = (cells + [""] * len(columns))[: len(columns)]',
    ),
    without(
        SILENCE,
        _DELIMITED,
        'raise RowError(Reason.STRAY_CARRIAGE_RETURN, "a bare carriage return stands outside of quotes")',
        f"{_CSV}test_a_bad_row_costs_itself_only",
    ),
    without(
        SILENCE,
        _DELIMITED,
        'raise RowError(Reason.BAD_QUOTING, f"text follows the closing quote of field {len(fields)}")',
        f"{_CSV}test_a_bad_row_costs_itself_only",
    ),
    never(
        SILENCE,
        "audit/sources/jsonl.py",
        "if size > limits.max_line_bytes:",
        "tests/sources/test_jsonl.py::test_a_line_over_the_cap_is_kept_in_part_and_the_next_is_read",
    ),
    without(
        SILENCE,
        "audit/sources/json_array.py",
        "if self.effort <= 0 or (0 <= end <= match.start()):",
        "tests/sources/test_json_array.py::test_bytes_looked_at_behind_bad_elements_are_bounded",
        instead="if 0 <= end <= match.start():",
    ),
)

_PACKED: tuple[Guard, ...] = (
    without(
        SILENCE,
        "audit/sources/record.py",
        "return self.remaining >= 0",
        f"{_STREAMS}test_a_bomb_stops_at_the_cap_and_says_so",
        instead="return True",
    ),
    without(
        SILENCE,
        _ARCHIVES,
        "out = member.decompress(block, BLOCK)",
        f"{_STREAMS}test_no_block_of_a_bomb_is_larger_than_a_megabyte",
        instead="out = member.decompress(block)",
    ),
    without(
        SILENCE,
        _ARCHIVES,
        'self._fail(Reason.DAMAGED_INPUT, "the gzip data is damaged")',
        f"{_STREAMS}test_a_flipped_byte_is_damage_and_never_a_clean_read[gz]",
    ),
    without(
        SILENCE,
        _ARCHIVES,
        'self._fail(Reason.TRUNCATED_INPUT, "the gzip data ends early")',
        f"{_SAMPLE}[truncated_gz/50]",
    ),
    without(
        SILENCE,
        _ARCHIVES,
        "self._fail(reason, f\"the zstd data {'ends early' if early else 'is damaged'}\")",
        f"{_HOSTILE}[truncated_zst/55]",
    ),
    without(
        SILENCE,
        "audit/sources/readers.py",
        'raise InputError(f"{self.source.path} changed while it was read; run again when it is complete")',
        f"{_CHANGING}test_a_file_that_changes_in_its_place_ends_the_run[append-d.jsonl]",
    ),
    without(
        SILENCE,
        "audit/sources/layouts.py",
        r"""\x00-\x1f]|\\(?:["\\/bf""",
        f"{_LAYOUTS}test_every_piece_at_every_place_is_told_as_the_strict_parser_tells_it",
        instead=r"""]|\\(?:["\\/bf""",
    ),
    without(
        SILENCE,
        "audit/sources/layouts.py",
        "[1-9][0-9]{0,17}",
        f"{_LAYOUTS}test_every_piece_at_every_place_is_told_as_the_strict_parser_tells_it",
        instead="[1-9][0-9]{0,30}",
    ),
    without(
        SILENCE,
        "audit/sources/layouts.py",
        "|[dD](?:[0-7]{_HEX}{{2}}|{_PAIR})",
        f"{_LAYOUTS}test_every_piece_at_every_place_is_told_as_the_strict_parser_tells_it",
        instead="|[dD]{_HEX}{{3}}",
    ),
    without(
        SILENCE,
        "audit/sources/jsonl.py",
        "or (lines.bin.size() > most).any()",
        "tests/sources/test_row_batches.py::test_a_long_line_that_ends_in_crlf_was_taken_whole",
        instead="",
    ),
    without(
        SILENCE,
        "audit/sources/feeds.py",
        "or (sizes > self._most).any()",
        "tests/sources/test_row_batches.py::test_a_long_line_of_a_table_ends_alike",
        instead="",
    ),
    without(
        BYTES,
        _REGIONS,
        "or not self._window.startswith(whole, self._base - begun)",
        "tests/sources/test_row_batches.py::test_a_run_that_is_claimed_is_its_lines_claimed_each",
        instead="",
    ),
    without(
        SILENCE,
        _CHILD,
        'return "truncated_input", "the stream has no end marker"',
        f"{_HOSTILE}[arrow_stream_without_an_end/last_marker]",
        instead="return None",
    ),
    without(
        SILENCE,
        _CHILD,
        'return ("damaged_input", "more bytes follow the end of its stream") if handle.read(1) else None',
        f"{_SAMPLE}[more_behind_an_arrow_stream/other_bytes]",
        instead="return None",
    ),
    without(
        SILENCE,
        _CHILD,
        '_lower(resource.RLIMIT_AS, settings["memory_bytes"])',
        f"{_SANDBOX}test_memory_is_bounded",
    ),
    without(
        SILENCE,
        _CHILD,
        '_lower(resource.RLIMIT_CPU, settings["cpu_seconds"], settings["cpu_seconds"] + 2)',
        f"{_SANDBOX}test_processor_time_is_bounded",
    ),
    without(
        SILENCE,
        _CHILD,
        "page_checksum_verification=True",
        f"{_COLUMNAR}test_a_damaged_page_costs_its_row_group",
        instead="page_checksum_verification=False",
    ),
    without(
        SILENCE,
        _CHILD,
        "        _validate(batch)\n",
        f"{_SANDBOX}test_offsets_that_lead_out_of_a_buffer_are_refused",
        instead="",
    ),
    without(
        SILENCE,
        _CHILD,
        "problems = [_count_problem(group, schema) for group in groups]",
        f"{_COLUMNAR}test_a_row_group_that_hides_rows_is_refused",
        instead='problems = [""] * len(groups)',
    ),
    never(
        SILENCE,
        _TABLES,
        "if self._opened.groups and claimed != found:",
        f"{_COLUMNAR}test_row_counts_that_disagree_are_reported",
    ),
    never(
        SILENCE,
        _TABLES,
        "if claimed is not None and found != claimed:",
        f"{_COLUMNAR}test_a_group_that_gives_fewer_rows_than_it_claims_is_reported",
    ),
    never(
        SILENCE,
        _TABLES,
        "if self._decoded > self._bomb:",
        f"{_COLUMNAR}test_what_decodes_to_a_thousand_times_its_file_is_a_bomb",
    ),
    never(
        SILENCE,
        _TABLES,
        "if not self._budget.take(size):",
        f"{_COLUMNAR}test_what_decodes_to_more_than_the_budget_ends_there",
    ),
    never(
        SILENCE, _TABLES, "if len(set(names)) != len(names):", f"{_COLUMNAR}test_two_columns_of_one_name_are_refused"
    ),
    never(SILENCE, _PARENT, "if decoded > LIMITS.row_bytes:", f"{_SANDBOX}test_one_row_over_the_cap_is_a_verdict"),
    without(
        SILENCE,
        _PARENT,
        'raise _Lost(Reason.RESOURCE_LIMIT, f"no answer within {LIMITS.answer_seconds:g} seconds")',
        f"{_SANDBOX}test_a_silent_child_is_ended",
    ),
    without(
        SILENCE,
        _PARENT,
        "self._process.kill()",
        f"{_SANDBOX}test_a_silent_child_is_ended",
    ),
)

_PLACES: tuple[Guard, ...] = (
    without(CONFINEMENT, _CHILD, "_lower(resource.RLIMIT_FSIZE, 0)", f"{_SANDBOX}test_the_child_writes_no_file"),
    without(
        CONFINEMENT,
        _PARENT,
        "env=_environment(),",
        f"{_SANDBOX}test_the_child_inherits_no_secret_and_no_code",
        instead="env=None,",
    ),
    without(
        EXECUTED,
        _PARENT,
        '"-S", "-P", "-B"',
        f"{_SANDBOX}test_no_module_beside_the_program_is_imported",
        instead='"-S", "-B"',
    ),
    without(
        CONFINEMENT,
        _FOLDERS,
        '(0 if self.follow else getattr(os, "O_NOFOLLOW", 0))',
        f"{_CHANGING}test_a_link_put_in_the_place_of_a_listed_file_is_refused",
        instead="0",
    ),
    never(CONFINEMENT, _FOLDERS, "if stat.S_ISLNK(mode):", f"{_HOSTILE}[symbolic_link/to_a_file_outside]"),
    never(SILENCE, _FOLDERS, "if not stat.S_ISREG(mode):", f"{_SAMPLE}[no_regular_file/fifo]"),
    never(
        SILENCE,
        _FOLDERS,
        'if any(part.startswith(".") for part in relative.split("/")):',
        f"{_HOSTILE}[hidden_and_odd_names/hidden_file]",
    ),
    without(
        CONFINEMENT,
        _FOLDERS,
        "followlinks=False",
        f"{_HOSTILE}[symbolic_link/to_a_folder_outside]",
        instead="followlinks=True",
    ),
    without(
        CONFINEMENT,
        _FOLDERS,
        "if not p.parent.resolve().is_relative_to(inside)]",
        f"{_FILES}test_a_glob_whose_wildcard_meets_a_link_reads_nothing_behind_it",
        instead="if False]",
    ),
    never(
        SILENCE,
        _FOLDERS,
        "if (folder / name).as_posix() not in read:",
        f"{_SAMPLE}[saved_dataset_without_its_file/path]",
    ),
    without(
        EXECUTED,
        "audit/sources/hub.py",
        "allow_patterns=_PATTERNS",
        f"{_FILES}test_a_hub_dataset_is_fetched_as_files_and_read_by_our_own_readers",
        instead='allow_patterns=[*_PATTERNS, "*.py"]',
    ),
    without(
        EXECUTED,
        "audit/sources/hub.py",
        "@[0-9a-f]{40}",
        f"{_FILES}test_a_hub_dataset_needs_a_pinned_revision_and_no_network_for_its_fingerprint",
        instead="@[0-9a-z]*",
    ),
)

GUARDS = (*_CONSERVATION, *_STRICT, *_PACKED, *_PLACES)
