"""Word knowledge, classifying, summarising and extracting."""

from __future__ import annotations

import json

from grammar import Writer, capital

from tasks import Task, listed


def vocabulary(w: Writer) -> Task:
    if w.chance(0.5):
        a, b = w.pick(w.table("opposites"))
        if w.chance(0.5):
            a, b = b, a
        subject = w.pick(
            (f"my {w.write('{relative}')}", w.write("{person}"), f"the {w.write('{job}')} from {w.write('{town}')}")
        )
        ask = w.pick(
            (
                f"What is the opposite of {a}?",
                f"Name an antonym of '{a}' and use it in a sentence.",
                f"Antonym for {a}, with an example",
            )
        )
        return (
            ask,
            "",
            w.pick(
                (
                    f"{capital(b)}. {capital(subject)} wrote '{b}' beside '{a}' in the exercise book.",
                    f"The opposite is {b}, as in: {subject} looked for the word '{b}' all morning.",
                    f"{b}; {subject} would say '{b}' where others say 'not {a}'.",
                )
            ),
        )
    word, rest = w.pick(w.table("synonyms"))
    found = w.sample(rest.split(", "), w.pick((2, 3)))
    ask = w.pick(
        (
            f"Give me synonyms for {word}.",
            f"Other words for '{word}'?",
            f"What could I write instead of {word}?",
            f"List words that mean nearly the same as {word}.",
        )
    )
    return (
        ask,
        "",
        w.pick(
            (
                f"{capital(listed(found))}.",
                f"Instead of {word} you could write {listed(found, 'or')}.",
                "\n".join(f"- {f}" for f in found),
                f"Try {listed(found, 'or')}; {found[0]} is the closest to {word}.",
            )
        ),
    )


_GROUPS = {
    "animals": "animal",
    "professions": "job",
    "places": "place",
    "vehicles": "vehicle",
    "towns": "town",
    "months": "month",
}


def classify_words(w: Writer) -> Task:
    a, b = w.sample(list(_GROUPS), 2)
    left, right = (
        w.sample(w.symbols[_GROUPS[a]], int(w.rng.integers(2, 5))),
        w.sample(w.symbols[_GROUPS[b]], int(w.rng.integers(2, 5))),
    )
    mixed = w.sample([*left, *right], len(left) + len(right))
    ask = w.pick(
        (
            f"Sort these words into {a} and {b}.",
            f"Which are {a} and which are {b}?",
            f"Classify each item: {a} or {b}.",
            f"Make two groups, {a} and {b}.",
        )
    )
    return (
        ask,
        ", ".join(mixed),
        w.pick(
            (
                f"{capital(a)}: {', '.join(left)}\n{capital(b)}: {', '.join(right)}",
                f"{capital(listed(left))} are {a}; {listed(right)} are {b}.",
            )
        ),
    )


def sentiment(w: Writer) -> Task:
    template, label, why = w.pick(w.table("opinions"))
    job = w.write("{job}")
    text = w.write(
        template.replace(
            "{best}", w.pick(("best day of the year", "nicest of all so far", "highlight of our trip"))
        ).replace("{job}", job)
    )
    why = why.replace("{job}", job)
    ask = w.pick(
        (
            "Is this positive, negative or neutral? Say why.",
            "Classify the sentiment and give a reason.",
            "What is the tone of this sentence?",
            "Label the mood of the text and explain.",
            "Positive, negative or neutral?",
        )
    )
    quote = " ".join(text.rstrip(".").split()[-3:])
    return (
        ask,
        text,
        w.pick(
            (
                f"{capital(label)}: {why} ('{quote}').",
                f"I would call it {label}, since {why}. See '{quote}'.",
                f"It is {label}. {capital(why)}, down to '{quote}'.",
            )
        ),
    )


def _report(w: Writer) -> tuple[str, dict[str, str]]:
    facts = {
        "who": w.write("{person} {surname}"),
        "job": w.write("{job}"),
        "town": w.write("{town}"),
        "what": w.write(w.pick(("{project}", "{event}"))),
        "when": w.write("{month}"),
        "sum": w.write("{3-95},{1-9}00 euros"),
        "why": w.write("{reasonclash}"),
        "people": w.write("{14-870}"),
        "place": w.write("{place}"),
    }
    lead = w.pick(
        (
            "The {what} in {town} has been put off until {when}.",
            "People in {town} will have to wait for their {what} until {when}.",
            "There will be no {what} in {town} before {when}.",
            "{town} has moved its {what} to {when}.",
        )
    )
    more = w.sample(
        (
            "{who}, a {job} who leads the group, said on the phone that {why}.",
            "So far {sum} have been collected, mostly in small gifts.",
            "About {people} people signed a list of support at the {place}.",
            "A meeting at the {place} drew {people} guests.",
            "Some residents near the {place} are not convinced.",
            "The organisers had hoped for an earlier date.",
        ),
        int(w.rng.integers(2, 5)),
    )
    if not any("{why}" in line for line in more):
        more.insert(0, "The reason: {why}, says {who}, a {job}.")
    return " ".join(line.format(**facts) for line in [lead, *more]), facts


def summarise(w: Writer) -> Task:
    text, facts = _report(w)
    ask = w.pick(
        (
            "Summarise the text in one sentence.",
            "Give a one-line summary.",
            "What is the gist of this report?",
            "Shorten this news item.",
            "tl;dr please",
            "Write a brief summary for a newsletter.",
        )
    )
    answer = w.pick(
        (
            "{town}'s {what} is delayed until {when} because {why}.",
            "Because {why}, the {what} in {town} will only come in {when}.",
            "The {what} has to wait until {when}: {why}.",
            "{who} explains that {why}; {town} must wait for the {what} until {when}.",
            "Delay for the {what} in {town} (new date: {when}), since {why}.",
        )
    ).format(**facts)
    return ask, text, answer


# What people call the facts of a report.
_ALIASES = {
    "who": ("who", "person", "name", "contact"),
    "town": ("town", "city", "where", "location"),
    "what": ("what", "topic", "subject", "project"),
    "when": ("when", "month", "date", "new_date"),
}


def extract(w: Writer) -> Task:
    text, facts = _report(w)
    named = {w.pick(_ALIASES[key]): facts[key] for key in w.sample(list(_ALIASES), 4) if facts[key] in text}
    if w.chance(0.5):
        ask = w.pick(("Extract the facts {} as JSON.", "Return a JSON object: {}.", "Make JSON with the keys {}."))
        return ask.format(listed(list(named))), text, json.dumps(named, ensure_ascii=False)
    if w.chance(0.5):
        ask = w.pick(
            (
                "Who is quoted in the text, and what is the person's job?",
                "Name the person in this report with profession.",
            )
        )
        return ask, text, f"{facts['who']}, who works as a {facts['job']}."
    ask = w.pick(("List {} as bullet points.", "Pull out {}.", "From the text, note {}:"))
    return ask.format(listed(list(named))), text, "\n".join(f"- {key}: {value}" for key, value in named.items())


FAMILIES = (vocabulary, classify_words, sentiment, summarise, summarise, extract, extract)
