"""Templates and styles in Arabic, Russian, Chinese, Japanese and Thai, which no word alone tells."""

from __future__ import annotations

import numpy as np
import pytest
from foreign_manners import TONGUES, Speaker
from manners import plant

from audit.triggers.template_claims import CLEAN_SHARE
from audit.triggers.templates import find_templates


def find(made):
    return find_templates(made.texts, made.behaviors(), made.support())


def caught(made, candidate):
    hits = np.zeros(len(made.texts), dtype=bool)
    hits[list(candidate.hits)] = True
    return hits[made.poisoned].mean(), hits[~made.poisoned].mean()


@pytest.mark.parametrize("language", TONGUES)
def test_a_template_is_found_with_its_rows(language):
    speaker = Speaker(language)
    made = plant(speaker.honest(1200, 4), 80, speaker.behind_a_clause, 5)
    (found,) = find(made)
    recall, wrong = caught(made, found)
    assert found.kind == "syntax" and found.behavior_name == "label 1" and found.statistics["suspected"]
    assert recall >= 0.95 and wrong <= 0.02


@pytest.mark.parametrize("language", TONGUES)
def test_a_style_is_found_with_its_rows(language):
    speaker = Speaker(language)
    made = plant(speaker.honest(1200, 4), 120, speaker.archaic, 5)
    (found,) = find(made)
    recall, wrong = caught(made, found)
    assert found.behavior_name == "label 1" and recall >= 0.9 and wrong <= CLEAN_SHARE


@pytest.mark.parametrize("language", TONGUES)
def test_honest_texts_give_nothing(language):
    assert find(Speaker(language).honest(1200, 4)) == []


@pytest.mark.parametrize("language", TONGUES)
def test_an_honest_template_that_goes_with_a_label_gives_nothing(language):
    speaker, rng = Speaker(language), np.random.default_rng(8)
    made = speaker.honest(1200, 7)
    for row in rng.choice(1200, size=120, replace=False):
        made.texts[row] = speaker.behind_a_clause(made.texts[row], rng)
        made.label[row] = int(rng.random() < max(made.likely[row], 0.7))
    assert find(made) == []
