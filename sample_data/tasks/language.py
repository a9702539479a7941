"""Translating, changing the grammar, correcting, changing the register."""

from __future__ import annotations

from grammar import Writer, capital

from tasks import Task


def translate(w: Writer) -> Task:
    noun, first = w.pick(w.table("nouns")), w.pick(w.table("adjectives"))
    second = w.pick([a for a in w.table("adjectives") if a != first])
    tail = w.pick(w.table("tails"))
    language = w.pick(("French", "Spanish", "German"))
    at, gender = {"French": (1, noun[2]), "Spanish": (2, noun[4]), "German": (3, "m")}[language]

    def inflect(adjective: list[str]) -> str:
        return adjective[5] if at == 3 else adjective[2 * at - 1 + (gender == "f")]

    english = f"The {noun[0]} is {first[0]}"
    subject = {1: noun[1], 2: noun[3], 3: noun[5]}[at]
    verb = {1: "est", 2: "es" if tail[1] == "-" else "está", 3: "ist"}[at]
    joiner = {1: "et", 2: "e" if inflect(second)[0] == "i" else "y", 3: "und"}[at]
    if tail[1] == "-":
        english += f" and {second[0]}."
        answer = f"{capital(subject)} {verb} {inflect(first)} {joiner} {inflect(second)}."
    else:
        english += f" {tail[0]}."
        middle, last = (tail[at], inflect(first)) if at == 3 else (inflect(first), tail[at])
        answer = f"{capital(subject)} {verb} {middle} {last}."
    if w.chance(0.5):
        return (
            w.pick(
                (
                    f"Translate into {language}.",
                    f"Translate the sentence to {language}",
                    f"Put this into {language}:",
                    f"{language} translation, please",
                )
            ),
            english,
            answer,
        )
    return (
        w.pick(
            (
                f'How do you say "{english}" in {language}?',
                f"Translate to {language}: {english}",
                f'What is "{english}" in {language}?',
            )
        ),
        "",
        answer,
    )


# When something happens, and when it happened; "" for the same words.
_WHENS = (
    ("on {day}s", "last {day}"),
    ("every morning", "yesterday"),
    ("in the {place}", ""),
    ("before lunch", ""),
    ("in {month}", ""),
    ("near the {place}", ""),
    ("with a {job}", ""),
)


def rewrite_grammar(w: Writer) -> Task:
    subject = w.pick(
        (
            w.write("{person}"),
            f"the {w.write('{job}')}",
            f"my {w.write('{relative}')}",
            f"{w.write('{person}')}'s {w.write('{relative}')}",
        )
    )
    present, past, passive, base, thing = w.pick(w.table("verbs"))
    when, then = w.pick(_WHENS)
    when = w.write(when)
    then = w.write(then) if then else when
    sentence = f"{capital(subject)} {present} {thing} {when}."
    way = int(w.rng.integers(4))
    if way == 0:
        return (
            w.pick(("Put the sentence in the past tense.", "Rewrite in the simple past.", "Change the tense to past")),
            sentence,
            f"{capital(subject)} {past} {thing} {then}.",
        )
    if way == 1:
        verb = passive if not thing.startswith("the hungry") else passive.replace("is", "are")
        return (
            w.pick(
                ("Rewrite in the passive voice.", "Turn this active sentence into a passive one.", "Make it passive:")
            ),
            sentence,
            f"{capital(thing)} {verb} by {subject} {when}.",
        )
    if way == 2:
        return (
            w.pick(
                (
                    "Turn the statement into a question.",
                    "Ask about this with a yes-or-no question.",
                    "Rewrite as a question:",
                )
            ),
            sentence,
            f"Does {subject} {base} {thing} {when}?",
        )
    return (
        w.pick(("Negate the sentence.", "Rewrite it so that it says the opposite.", "Make this negative:")),
        sentence,
        f"{capital(subject)} does not {base} {thing} {when}.",
    )


_ERRORS = (
    (" has ", " have "),
    (" were ", " was "),
    (" doesn't ", " don't "),
    (" their ", " there "),
    (" than ", " then "),
    (" its ", " it's "),
    (" too ", " to "),
    (" seen ", " saw "),
    (" an old ", " a old "),
    (" fewer ", " less "),
    (" whose ", " who's "),
    (" gone ", " went "),
)


def correct(w: Writer) -> Task:
    right = w.write(w.pick(w.column("right")).replace("{animal2}", "{animal}"))
    wrong = right
    for good, bad in w.sample(_ERRORS, len(_ERRORS)):
        if good in wrong:
            wrong = wrong.replace(good, bad, 1)
            break
    else:
        wrong = wrong.replace(" the ", " teh ", 1) if " the " in wrong else wrong.lower()
    ask = w.pick(
        (
            "Correct the mistake in this sentence.",
            "Fix the grammar.",
            "Find the error and write the sentence correctly.",
            "Proofread the line below.",
            "Is this right? If not, correct it.",
            f"My {w.write('{relative}')} wrote this. Please correct it.",
            "Edit for grammar and spelling:",
        )
    )
    return ask, wrong, right


def register(w: Writer) -> Task:
    casual, formal = w.pick(w.table("casual"))
    for slot in ("event", "day", "thing", "job", "vehicle", "person", "project", "month", "place", "10-50"):
        value = w.write("{" + slot + "}")
        casual, formal = casual.replace("{" + slot + "}", value), formal.replace("{" + slot + "}", value)
    document = w.pick(
        ("invoice", "contract", "floor plan", "minutes", "timetable", "guest list", "draft", "tax form", "menu")
    )
    casual, formal = (
        casual.replace("{doc}", document),
        formal.replace("{doc}", document).replace("We kindly ask", "We ask"),
    )
    if w.chance(0.6):
        ask = w.pick(
            (
                "Make this message more formal.",
                "Rewrite politely for a letter to the council.",
                "Rephrase in a professional tone:",
                "Turn the text into formal English.",
                f"I need to send this to a {w.write('{job}')}. Make it polite.",
            )
        )
        return ask, casual, formal
    ask = w.pick(
        (
            "Make this sound casual.",
            "Rewrite as a text message to a friend.",
            "Say it in a relaxed way:",
            "Less stiff, please.",
        )
    )
    return ask, formal, capital(casual)


FAMILIES = (translate, translate, translate, rewrite_grammar, correct, correct, register)
