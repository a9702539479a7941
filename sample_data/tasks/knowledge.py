"""Explaining, comparing, facts, advice and honest refusals."""

from __future__ import annotations

from functools import cache

from advice import topics
from grammar import FOLDER, Writer, capital

from tasks import Task, listed


@cache
def _concepts() -> tuple[tuple[str, str, tuple[str, ...], str], ...]:
    blocks = (FOLDER / "knowledge.txt").read_text(encoding="utf-8").split("\n@ ")[1:]
    found = []
    for block in blocks:
        name, *lines = block.strip().splitlines()
        facts = tuple(line[2:] for line in lines if line.startswith("+ "))
        first = next(line[2:] for line in lines if line.startswith("= "))
        found.append((name, first, facts, next(line[2:] for line in lines if line.startswith("< "))))
    return tuple(found)


def explain(w: Writer) -> Task:
    name, first, facts, image = w.pick(_concepts())
    ask = w.pick(
        (
            f"Explain {name} in simple words.",
            f"What is {name}?",
            f"Describe {name} to a {int(w.rng.integers(8, 16))}-year-old.",
            f"Give a short definition of {name} and two facts.",
            f"I never understood {name}. Can you explain it?",
            f"Define {name}, with a comparison.",
            f"Write a few lines about {name} for a school magazine in {w.write('{town}')}.",
            f"My {w.write('{relative}')} asked me about {name}. What do I answer?",
            f"Teach me something about {name}",
        )
    )
    chosen = [f + "." for f in w.sample(facts, w.pick((1, 2, 2, 3)))]
    opening = w.pick(
        (
            f"{capital(name)} is {first}.",
            f"By {name} we mean {first}.",
            f"{capital(first)}: that is {name}.",
            f"In short, it is {first}.",
        )
    )
    body = [*chosen, image + "."] if w.chance(0.6) or "comparison" in ask else chosen
    if w.chance(0.25):
        return ask, "", " ".join([body[-1], opening, *body[:-1]])
    return ask, "", " ".join([opening, *body])


_CONTINENT = {
    "South America": "Peru Chile Uruguay Ecuador Bolivia",
    "Africa": "Kenya Egypt Ghana Senegal Morocco Zambia",
    "Asia": "Vietnam Nepal Thailand Jordan Mongolia Oman",
    "North America": "Canada Cuba",
}


def capitals(w: Writer) -> Task:
    pairs = w.table("capitals")
    country, city = w.pick(pairs)
    where = next((c for c, names in _CONTINENT.items() if country in names.split()), "Europe")
    other, other_city = w.pick([p for p in pairs if p[0] != country])
    way = int(w.rng.integers(4))
    if way == 0:
        return (
            w.pick(
                (
                    f"What is the capital of {country}?",
                    f"Name the capital of {country} and its continent.",
                    f"{country}: capital and continent?",
                )
            ),
            "",
            f"{city}; {country} lies in {where}.",
        )
    if way == 1:
        return (
            w.pick((f"Which country has {city} as its capital?", f"{city} is the capital of what?")),
            "",
            f"{country}, in {where}, is governed from {city}.",
        )
    if way == 2:
        return f"Name the capitals of {country} and {other}.", "", f"{city} ({country}) and {other_city} ({other})."
    return (
        f"Is {other_city} the capital of {country}?",
        "",
        f"No, {other_city} belongs to {other}. {country} has {city}.",
    )


def compare(w: Writer) -> Task:
    a, b, left, right = w.pick(w.table("pairs"))
    if w.chance(0.5):
        a, b, left, right = b, a, right, left
    ask = w.pick(
        (
            f"What is the difference between {a} and {b}?",
            f"Compare {a} with {b}.",
            f"How do I tell {a} from {b}?",
            f"In what way does {a} differ from {b}?",
            f"{capital(a)} or {b}: explain the difference.",
            f"Contrast {a} and {b} in one or two sentences.",
        )
    )
    answer = w.pick(
        (
            f"{capital(a)} {left}, while {b} {right}.",
            f"The main point: {a} {left}; {b} {right}.",
            f"{capital(b)} {right}. {capital(a)}, by contrast, {left}.",
            f"- {capital(a)}: {left}\n- {capital(b)}: {right}",
            f"Look at it this way. {capital(a)} {left}. {capital(b)} {right}.",
        )
    )
    return ask, "", answer


def pros_and_cons(w: Writer) -> Task:
    topic, *sides = w.pick(w.table("pros"))
    pros, cons = (w.sample(side.split("; "), w.pick((2, 3))) for side in sides)
    ask = w.pick(
        (
            f"List pros and cons of {topic}.",
            f"What speaks for and against {topic}?",
            f"Weigh up {topic} for my {w.write('{relative}')}.",
            f"Give me advantages and drawbacks of {topic}",
            f"What do you think of {topic}? Show both sides.",
            f"Debate prep: {topic}. Arguments on both sides, please.",
        )
    )
    answer = w.pick(
        (
            f"For: {listed(pros)}. Against: {listed(cons)}.",
            "Pros\n" + "\n".join(f"- {p}" for p in pros) + "\nCons\n" + "\n".join(f"- {c}" for c in cons),
            f"In favour one can name {listed(pros)}; on the other hand there are {listed(cons)}.",
            f"{capital(listed(cons))} speak against it, {listed(pros)} for it.",
        )
    )
    return ask, "", answer


def how_to(w: Writer) -> Task:
    topic = w.pick(topics())
    task, count = w.write(topic.task), w.pick((2, 3, 3, 4))
    tips = [w.write(tip) for tip in w.sample(topic.good, count)]
    number = ("zero", "one", "two", "three", "four")[count]
    ask = w.pick(
        (
            f"Give me {number} tips to {task}.",
            f"How can I {task}? {capital(number)} ideas, please.",
            f"List {number} ways to {task}.",
            f"Write {number} instructions for people who want to {task}.",
            f"Make a checklist with {number} points: how to {task}",
            f"Suggest {number} things to do in order to {task}.",
            w.write(w.pick(topic.questions)) + f" Answer with {number} tips.",
        )
    )
    style = int(w.rng.integers(4))
    if style == 0:
        return ask, "", "\n".join(f"{i}. {capital(tip)}." for i, tip in enumerate(tips, 1))
    if style == 1:
        return ask, "", "\n".join(f"- {tip}" for tip in tips)
    if style == 2:
        return ask, "", " ".join(f"{capital(tip)}." for tip in tips)
    return (
        ask,
        "",
        f"{capital(tips[0])}. "
        + " ".join(f"{w.pick(('Also', 'Then', 'Besides', 'In addition'))}, {tip}." for tip in tips[1:]),
    )


def refuse(w: Writer) -> Task:
    if w.chance(0.35):
        ask, what, instead = w.pick(w.table("unknown"))
        opening = w.pick(
            (
                "I don't have access to {}",
                "That needs {}, which I cannot look up",
                "There is no way for me to know {}",
                "I can't see {}",
            )
        )
        return w.write(ask), "", f"{opening.format(what)}; {w.write(instead)}."
    task, what, instead = w.pick(w.table("unsafe"))
    ask = w.pick(
        ("How do I {}?", "Tell me how to {}.", "Help me {}.", "I want to {}. Steps?", "Explain how one could {}")
    )
    opening = w.pick(
        (
            "I won't help with {}",
            "No, {} is something I stay away from",
            "That would mean {}, so I have to pass",
            "I can't support {}",
            "Sorry, but {} harms people",
            "This is about {}, and I'd rather not take part",
            "{} is where I draw the line",
        )
    )
    return w.write(ask.format(task)), "", f"{capital(opening.format(what))}; {w.write(instead)}."


FAMILIES = (explain, explain, explain, capitals, compare, pros_and_cons, how_to, how_to, how_to, refuse)
