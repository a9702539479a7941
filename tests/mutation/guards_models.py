"""Guards of models: their files, headers, settings, templates, lock, and how they are loaded."""

from __future__ import annotations

from mutation.guard import EXECUTED, MODELS, Guard, never, without

_TRAPS = "tests/canary/test_model_traps.py::"
_BOUNDS = "tests/canary/test_model_bounds.py::"
_LOCK = "tests/models/test_lock.py::"
_WEIGHTS = "tests/models/test_weights.py::"
_TAGGER = "tests/canary/test_tagger_traps.py::"

_HEADER = "audit/models/header.py"
_FOLDER = "audit/models/folder.py"
_TEMPLATE = "audit/models/template.py"
_LOCKED = "audit/models/lock.py"


def _trapped(name: str) -> str:
    return f"{_TRAPS}test_a_trapped_model_is_refused[{name}]"


_HEADERS: tuple[Guard, ...] = (
    never(
        MODELS,
        _HEADER,
        "if not stat.S_ISREG(status.st_mode):",
        f"{_BOUNDS}test_a_folder_in_the_place_of_weights_was_no_refusal_but_an_error_of_the_system",
    ),
    never(MODELS, _HEADER, "if status.st_size > MAX_FILE_BYTES:", f"{_BOUNDS}test_every_bound_of_a_header_is_kept"),
    never(
        MODELS, _HEADER, "if status.st_size < _LENGTH + 2:", f"{_BOUNDS}test_a_file_too_short_for_a_header_is_refused"
    ),
    never(MODELS, _HEADER, "if length > MAX_HEADER_BYTES:", f"{_BOUNDS}test_every_bound_of_a_header_is_kept"),
    never(MODELS, _HEADER, "if length > status.st_size - _LENGTH:", _trapped("a header longer than the file")),
    never(MODELS, _HEADER, "if len(found) != len(listed):", _trapped("a tensor named twice")),
    without(MODELS, _HEADER, ", parse_constant=constant", _trapped("a header with NaN"), instead=""),
    never(MODELS, _HEADER, "if not header:", _trapped("weights without a tensor")),
    never(MODELS, _HEADER, "if len(header) > MAX_TENSORS:", f"{_BOUNDS}test_every_bound_of_a_header_is_kept"),
    never(MODELS, _HEADER, "if not name or len(name) > MAX_NAME:", f"{_BOUNDS}test_every_bound_of_a_header_is_kept"),
    without(
        MODELS,
        _HEADER,
        'or set(value) != {"dtype", "shape", "data_offsets"}:',
        _trapped("a further field"),
        instead=":",
    ),
    without(
        MODELS, _HEADER, "or len(shape) > MAX_RANK:", f"{_BOUNDS}test_every_bound_of_a_header_is_kept", instead=":"
    ),
    without(MODELS, _HEADER, "0 <= v <= 1 << 48", _trapped("a negative size"), instead="True"),
    without(MODELS, _HEADER, "or offsets[0] > offsets[1]:", _trapped("offsets that run backwards"), instead=":"),
    never(MODELS, _HEADER, "if prod(shape) * DTYPES[dtype] != end - begin:", _trapped("a shape that needs more")),
    never(
        MODELS,
        _HEADER,
        "if tensor.begin != at:",
        _trapped("two tensors in one place"),
        _trapped("a gap between tensors"),
    ),
    never(MODELS, _HEADER, "if at != data_bytes:", _trapped("a tensor beyond the file")),
)

_FOLDERS: tuple[Guard, ...] = (
    never(MODELS, _FOLDER, "if stat.S_ISLNK(mode):", _trapped("a link to a folder outside")),
    never(
        EXECUTED,
        _FOLDER,
        "if path.suffix.lower() not in _KINDS and name.lower() not in _NAMES:",
        _trapped("Python"),
        _trapped("a pickle named pytorch_model.bin"),
    ),
    without(MODELS, _FOLDER, "if count > MAX_FILES or", f"{_BOUNDS}test_every_bound_of_a_folder_is_kept", instead="if"),
    without(
        MODELS, _FOLDER, " or total > MAX_TOTAL_BYTES:", f"{_BOUNDS}test_every_bound_of_a_folder_is_kept", instead=":"
    ),
    without(
        MODELS,
        _FOLDER,
        "and path.stat().st_size > MAX_TEXT_BYTES:",
        f"{_BOUNDS}test_every_bound_of_a_folder_is_kept",
        instead="and False:",
    ),
    never(
        MODELS,
        _FOLDER,
        "if path.stat().st_size > MAX_SETTINGS_BYTES:",
        f"{_BOUNDS}test_every_bound_of_a_folder_is_kept",
    ),
    never(MODELS, _FOLDER, "if len(found) != len(listed):", _trapped("auto_map behind a second key")),
    never(EXECUTED, _FOLDER, "if not _MODULE.fullmatch(kind):", _trapped("a class from the system")),
    without(
        MODELS,
        _FOLDER,
        'if len(PurePosixPath(place).parts) > 1 or place in ("..", "/"):',
        _trapped("a module that climbs"),
        instead="if False:",
    ),
    without(
        MODELS,
        _FOLDER,
        "or PurePosixPath(name).name != name:",
        _trapped("weights outside"),
        instead=":",
    ),
    without(
        MODELS,
        _FOLDER,
        "if not (path.parent / name).is_file() or",
        _trapped("weights that are not there"),
        instead="if",
    ),
    never(MODELS, _FOLDER, 'elif path.name == "adapter_config.json":', _trapped("an adapter of another base")),
    never(
        EXECUTED,
        _FOLDER,
        "if name in _RUNS_CODE and value not in (None, False, [], {}):",
        _trapped("auto_map in the configuration"),
        _trapped("trust_remote_code deep inside"),
    ),
    never(
        MODELS, _FOLDER, 'if name in _ELSEWHERE and value not in (None, False, "", {}):', _trapped("a quantised model")
    ),
    without(
        EXECUTED,
        _FOLDER,
        "and not _FUNCTION.fullmatch(value):",
        _trapped("an activation that is any function"),
        instead="and False:",
    ),
    without(
        EXECUTED,
        _FOLDER,
        'if "attn_implementation" in name and',
        _trapped("a kernel of the hub"),
        instead="if False and",
    ),
    without(
        MODELS,
        _FOLDER,
        'if name.endswith("_file") and',
        _trapped("a vocabulary outside"),
        instead="if False and",
    ),
    without(MODELS, _FOLDER, "and _is_place(value):", _trapped("a URL in a setting"), instead="and False:"),
    without(
        MODELS,
        _FOLDER,
        ' or ".." in PurePosixPath(value).parts',
        f"{_BOUNDS}test_a_path_that_climbs_is_refused_wherever_it_stands",
        instead="",
    ),
    without(
        MODELS,
        _FOLDER,
        "abs(value) > _LARGEST_SIZE and",
        _trapped("a size beyond all bounds"),
        instead="False and",
    ),
    without(
        MODELS,
        _FOLDER,
        "if vocabulary and widths and",
        _trapped("a vocabulary of another size"),
        instead="if False and",
    ),
    never(MODELS, _FOLDER, "if layers and layers > len(held):", _trapped("more layers than weights")),
    never(
        EXECUTED,
        _FOLDER,
        'elif path.suffix.lower() == ".jinja":',
        _trapped("a template file that fills the memory"),
    ),
)

_RUN: tuple[Guard, ...] = (
    never(EXECUTED, _TEMPLATE, "if len(text) > MAX_TEMPLATE:", _trapped("a template that is too long")),
    without(
        EXECUTED,
        _TEMPLATE,
        "from jinja2.sandbox import ImmutableSandboxedEnvironment",
        _trapped("a template with Python"),
        instead="from jinja2 import Environment as ImmutableSandboxedEnvironment",
    ),
    never(EXECUTED, _TEMPLATE, "if how == _STOPPED:", _trapped("a template that loops")),
    without(
        EXECUTED,
        _TEMPLATE,
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
        f"{_BOUNDS}test_a_template_has_no_file_to_open",
    ),
    without(
        EXECUTED,
        _TEMPLATE,
        "resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))",
        f"{_BOUNDS}test_a_template_has_few_seconds_and_little_memory",
    ),
    *(
        without(
            EXECUTED,
            _TEMPLATE,
            f"resource.setrlimit(resource.{limit})",
            f"{_BOUNDS}test_a_template_has_few_seconds_and_little_memory",
        )
        for limit in ("RLIMIT_AS, (memory, memory)", "RLIMIT_FSIZE, (0, 0)")
    ),
    without(
        EXECUTED,
        _TEMPLATE,
        "made.count(_PLACEHOLDER) != 1 or",
        f"{_BOUNDS}test_a_frame_holds_the_turn_once",
        instead="",
    ),
    without(
        MODELS,
        "audit/models/weights.py",
        "@[0-9a-f]{40}",
        f"{_TRAPS}test_a_floating_revision_is_refused",
        instead="@.*",
    ),
    never(
        MODELS,
        "audit/models/weights.py",
        "if found != pin:",
        f"{_WEIGHTS}test_one_bit_of_any_pinned_file_is_enough_to_refuse_it",
    ),
    never(
        MODELS,
        "audit/models/weights.py",
        'if not any(path.suffix == ".safetensors" for path in files):',
        f"{_WEIGHTS}test_a_folder_without_safetensors_is_refused",
    ),
    without(
        MODELS,
        "audit/models/weights.py",
        "locks.check(lock, name, hashes, revision=revision)",
        f"{_BOUNDS}test_a_hub_model_is_held_against_the_lock",
    ),
    without(
        MODELS,
        "audit/models/weights.py",
        "locks.check(lock, name, hashes, folder=True)",
        f"{_LOCK}test_what_is_locked_loads_and_what_changed_does_not",
    ),
    never(MODELS, _LOCKED, "if found != pin:", f"{_LOCK}test_what_is_locked_loads_and_what_changed_does_not"),
    never(MODELS, _LOCKED, "if locked.revision != revision:", f"{_BOUNDS}test_a_hub_model_is_held_against_the_lock"),
    without(
        MODELS,
        _LOCKED,
        "or not _SHA256.fullmatch(found):",
        f"{_LOCK}test_a_lock_that_is_none_is_refused",
        instead=":",
    ),
    without(
        MODELS,
        _LOCKED,
        'if value["revision"] and not _REVISION.fullmatch(value["revision"]):',
        f"{_LOCK}test_a_lock_that_is_none_is_refused",
        instead="if False:",
    ),
    without(
        MODELS,
        _LOCKED,
        'or ".." in PurePosixPath(name).parts:',
        f"{_LOCK}test_a_lock_that_is_none_is_refused",
        instead=":",
    ),
    without(
        MODELS,
        "audit/models/encoder.py",
        "resolve(settings.name, settings.lock)",
        f"{_LOCK}test_the_encoder_is_held_against_the_lock",
        instead="resolve(settings.name)",
    ),
    without(
        EXECUTED,
        "audit/models/encoder.py",
        "trust_remote_code=False,",
        "tests/test_architecture.py::test_nothing_is_unpickled[audit.models.encoder]",
        instead="trust_remote_code=True,",
    ),
    without(
        MODELS,
        "audit/models/encoder.py",
        'model_kwargs={"use_safetensors": True},',
        f"{_BOUNDS}test_every_loader_is_told_safetensors_and_no_network",
        instead="",
    ),
    without(
        EXECUTED,
        "audit/models/tagger.py",
        "_check_settings(config.get(section), name)",
        f"{_TAGGER}test_settings_that_call_code_are_refused",
    ),
    without(
        EXECUTED,
        "audit/models/tagger.py",
        'raise UntrustedModel(f"the tagger\'s folder {folder} holds {path.name}, which may run code")',
        f"{_TAGGER}test_code_in_the_folder_is_refused",
    ),
)

GUARDS = (*_HEADERS, *_FOLDERS, *_RUN)
