"""Configuration, statistics, provenance and text: round trips, second sources, laws."""

from __future__ import annotations

import csv
import io
import itertools
import tomllib
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from audit import config, stats, text
from audit.config import Config
from audit.errors import ConfigError
from audit.provenance import content_hash, digest, sha256_file

strings = st.text(max_size=20)
values = st.one_of(st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False, allow_infinity=False), strings)
configs = st.builds(
    Config,
    source=strings,
    name=strings,
    seed=st.integers(0, 2**40),
    fail_on=st.sampled_from(["confirmed", "high", "medium", "any"]),
    detectors=st.dictionaries(strings, st.dictionaries(strings, values, max_size=3), max_size=3),
    skip=st.lists(strings, max_size=3).map(tuple),
    ingest=st.builds(
        config.IngestConfig, map=st.dictionaries(strings, strings, max_size=3), limit=st.none() | st.just(7)
    ),
    review=st.builds(config.ReviewConfig, budget=st.floats(0, 1)),
)


@settings(max_examples=150, deadline=None)
@given(configs)
def test_toml_reads_back_to_the_same_configuration(made):
    assert config.build(tomllib.loads(made.to_toml().encode().decode())) == made


def test_a_stored_configuration_is_loaded(tmp_path):
    made = Config(source="données \U0001f600/π.csv", detectors={"outliers": {"expected": 1e-20}})
    (tmp_path / "config.toml").write_bytes(made.to_toml().encode())
    assert config.load(tmp_path / "config.toml") == made


@pytest.mark.parametrize(
    ("given_values", "message"),
    [
        ({"sead": 1}, "unknown setting sead; did you mean seed?"),
        ({"probe": {"tokenz": 1}}, "unknown setting probe.tokenz; did you mean tokens?"),
        ({"zzzz": 1}, "unknown setting zzzz"),
        ({"seed": -1}, "setting seed: Input should be greater than or equal to 0"),
        ({"probe": {"controls": 3}}, "setting probe.controls"),
        ({"fail_on": "never"}, "setting fail_on"),
    ],
)
def test_a_wrong_setting_is_named(given_values, message):
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        config.build(given_values)


def test_yaml_is_read_too_and_files_that_do_not_parse_are_named(tmp_path):
    (tmp_path / "a.yaml").write_text("seed: 3\nprobe: {mode: full}\n")
    assert config.load(tmp_path / "a.yaml") == Config(seed=3, probe=config.ProbeConfig(mode="full"))
    (tmp_path / "b.toml").write_text("seed = = 3")
    (tmp_path / "c.yaml").write_text("a: [1")
    for name in ("b.toml", "c.yaml", "missing.toml"):
        with pytest.raises(ConfigError, match=name):
            config.load(tmp_path / name)


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="frozen"):
        Config().seed = 3


# Wilson's interval: scipy's own is the second source.
@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_agrees_with_scipy(hits, extra, confidence):
    trials = hits + extra
    low, high = stats.wilson_interval(hits, trials, confidence)
    other = scipy_stats.binomtest(hits, trials).proportion_ci(confidence, method="wilson")
    assert (low, high) == pytest.approx((other.low, other.high), abs=1e-12)
    assert stats.wilson_lower(np.array([hits]), np.array([trials]), confidence)[0] == pytest.approx(low, abs=1e-12)


def test_wilson_without_trials_says_nothing():
    assert stats.wilson_interval(0, 0) == (0.0, 1.0)
    assert stats.wilson_lower(np.array([0.0]), np.array([0.0])).tolist() == [0.0]


def test_wilson_agrees_with_a_published_example():
    # Newcombe 1998, table I, method 3: 81 of 263.
    assert stats.wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_benjamini_hochberg_agrees_with_its_definition(p_values):
    found = stats.benjamini_hochberg(np.array(p_values))
    count = len(p_values)
    order = sorted(range(count), key=lambda i: p_values[i])
    smallest, expected = 1.0, [0.0] * count
    for place in range(count, 0, -1):
        smallest = min(smallest, p_values[order[place - 1]] * count / place)
        expected[order[place - 1]] = smallest
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0.01, 0.99))
def test_binomial_tail_agrees_with_the_sum(hits, extra, rate):
    trials = hits + extra
    found = stats.binomial_tail_log10(np.array([hits]), np.array([trials]), np.array([rate]))[0]
    total = scipy_stats.binom.pmf(np.arange(hits, trials + 1), trials, rate).sum()
    assert 10**found == pytest.approx(total, rel=1e-9)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0.1, 10), st.floats(-100, 100))
def test_median_absolute_deviation_scales_and_ignores_shifts(numbers, factor, shift):
    plain = stats.median_absolute_deviation(np.array(numbers))
    moved = stats.median_absolute_deviation(factor * np.array(numbers) + shift)
    assert moved == pytest.approx(factor * plain, rel=1e-6, abs=1e-4)
    assert plain == pytest.approx(scipy_stats.median_abs_deviation(numbers, scale="normal"), rel=1e-3, abs=1e-9)


@given(st.floats(-1e9, 1e9))
def test_sigmoid_is_symmetric_and_finite(x):
    low, high = stats.sigmoid(np.array([-x])), stats.sigmoid(np.array([x]))
    assert 0 <= low[0] <= 1 and low[0] + high[0] == pytest.approx(1)


@given(st.text(max_size=60))
def test_safe_text_has_no_invisible_character(raw):
    shown = text.safe_text(raw)
    assert not any(text.is_invisible(c) for c in shown)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") for c in shown)
    visible = all(not text.is_invisible(c) and c not in "\n\t" for c in raw)
    assert (shown == raw) == visible


@given(st.text(max_size=60), st.integers(1, 20))
def test_safe_text_cuts_before_it_spells(raw, limit):
    shown = text.safe_text(raw, limit=limit)
    assert shown == text.safe_text(raw) or shown.endswith("…")
    assert len(raw) <= limit or len(shown.split("⟦")[0]) <= limit


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\u200bb", "a⟦U+200B⟧b"),
        ("\x1b[31mred", "⟦U+001B⟧[31mred"),
        ("\u202egnp.exe", "⟦U+202E⟧gnp.exe"),
        ("tab\tline\n", "tab⇥line⏎"),
        ("\U000e0041", "⟦U+E0041⟧"),
        ("a\u00a0b\r", "a⟦U+00A0⟧b⟦U+000D⟧"),
        ("\ud800", "⟦U+D800⟧"),
    ],
)
def test_safe_text_spells_out(raw, shown):
    assert text.safe_text(raw) == shown


@given(st.text(max_size=40))
def test_words_keep_every_visible_character(raw):
    assert "".join("".join(text.words(raw)).split()) == "".join(c for c in raw if not c.isspace())
    assert [raw[a:b] for a, b in text.word_spans(raw)] == text.words(raw)


@pytest.mark.parametrize("code", [0x034F, 0x115F, 0x180B, 0x2800, 0x3164, 0xFE0F, 0xFFA0, 0xE0100, 0xE01EF, 0xE0041])
def test_what_shows_nothing_is_spelled_out(code):
    """Marks and letters that no font shows: they are of categories that people do see."""
    assert text.is_invisible(chr(code)) and text.safe_text(f"a{chr(code)}b") == f"a⟦U+{code:04X}⟧b"


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\x00"])
def test_what_a_spreadsheet_would_run_is_quoted(first):
    assert text.csv_safe(f"{first}cmd|' /C calc'!A0") == f"'{first}cmd|' /C calc'!A0"


@given(st.text(max_size=20))
def test_no_cell_is_a_formula(raw):
    cell = text.csv_safe(raw)
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r", "\x00") and cell.endswith(raw)
    buffer = io.StringIO()
    csv.writer(buffer).writerow([cell])


@given(st.lists(st.none() | st.text(max_size=5), max_size=4), st.lists(st.none() | st.text(max_size=5), max_size=4))
def test_content_hash_tells_rows_apart(one, other):
    assert (content_hash(*one) == content_hash(*other)) == (one == other)
    assert len(content_hash(*one)) == 32


@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=5))
def test_digest_ignores_the_order_of_keys(mapping):
    turned = dict(reversed(mapping.items()))
    assert digest(mapping) == digest(turned)
    assert digest(mapping, 1) != digest(mapping, 2)


def test_sha256_of_a_file_agrees_with_a_published_value(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.integers(0, 500), st.integers(1, 60))
def test_spread_is_even_from_first_to_last(count, most):
    at = stats.spread(count, most).tolist()
    assert len(at) == min(count, most) and at == sorted(set(at))
    if count > most > 1:
        steps = [b - a for a, b in itertools.pairwise(at)]
        assert at[0] == 0 and at[-1] == count - 1 and max(steps) - min(steps) <= 1
