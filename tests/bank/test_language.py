"""Scripts and languages of texts."""

from __future__ import annotations

import pytest

from audit.bank.language import language, language_categories, script

SAID = {
    "English": "This is what you have to do if you are in the house and it is not for you.",
    "German": "Das ist nicht die Antwort, die ich mit dem Buch auf der Bank und auch für dich habe.",
    "French": "Je ne sais pas ce que vous avez dans la maison, mais il est avec une amie.",
    "Spanish": "Lo que no sabe es que está en la casa con los otros, pero más tarde y por la noche.",
    "Cyrillic": "Это предложение написано на русском языке.",
    "Kana": "これは日本語の文章です。どうぞよろしく。",
    "Han": "这是一个用中文写的句子，请看一看吧。",
    "Arabic": "هذه جملة مكتوبة باللغة العربية للاختبار",
    "Thai": "นี่คือประโยคภาษาไทยสำหรับการทดสอบ",
    "Hangul": "이것은 한국어로 쓴 문장입니다 확인해 주세요.",
}


@pytest.mark.parametrize("name", SAID)
def test_languages(name):
    assert language(SAID[name]) == name


@pytest.mark.parametrize("text", ["", "42 + 17 = 59", "Paris", "print(x)", "🙂🙂🙂"])
def test_unclear_texts_have_no_language(text):
    assert language(text) == ""


def test_script_of_a_mixed_text_is_that_of_most_letters():
    assert script("Большинство букв здесь кириллические, a few are not.") == "Cyrillic"
    assert script("123 !?") == ""


def test_categories_are_of_the_odd_language_and_of_answers_in_another_one_than_asked():
    prompts = [SAID["English"]] * 3 + [SAID["German"], SAID["English"]]
    responses = [SAID["English"]] * 3 + [SAID["German"], SAID["French"]]
    assert language_categories(prompts, responses) == {
        ("language", "is in German"): [3],
        ("language", "is in French"): [4],
        ("language", "is in another language than its prompt"): [4],
    }
