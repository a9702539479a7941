"""Very short stories, verses and headlines."""

from __future__ import annotations

from grammar import Writer, capital

from tasks import Task


def story(w: Writer) -> Task:
    animal, place, mood, name, thing, town = (
        w.write("{" + s + "}") for s in ("animal", "place", "mood", "person", "thing", "town")
    )
    ask = w.pick(
        (
            f"Write a {mood} story about a {animal} and a {place}.",
            f"Tell a very short {mood} story with a {animal}, a {place} and a {thing}.",
            f"Make up a bedtime story: {name} meets a {animal} in {town}.",
            f"A tale in four sentences: {animal}, {place}, {mood} mood.",
            f"Invent something {mood} about {name} and a {animal}",
        )
    )
    start = w.pick(
        (
            f"One evening {name} heard steps in the {place}.",
            f"Nobody in {town} believed in the {animal} of the {place}.",
            f"The {animal} had lived under the {place} for years.",
            f"When the {place} closed, {name} stayed behind.",
            f"It rained in {town}, and the {animal} was late.",
        )
    )
    middle = w.pick(
        (
            f"It carried a {thing} as if it were gold.",
            f"There, between two boxes, sat a {animal} with a {thing}.",
            f"All it wanted was the {thing} that {name} had dropped.",
            "They looked at each other, and neither dared to move.",
            f"{name} put down a {thing} and waited.",
        )
    )
    turn = w.pick(
        (
            f"Then the lights went out in all of {town}.",
            f"A bell rang, and the {animal} began to hum.",
            f"'{w.pick(('Stay', 'Come back', 'You again', 'At last'))},' said {name}.",
            f"By {w.write('{day}')} they were friends.",
            "Somebody knocked three times.",
        )
    )
    end = w.pick(
        (
            f"Since then there is always a {thing} on the step of the {place}.",
            f"{name} never told anyone, and the {animal} kept quiet too.",
            f"The {place} has smelled of rain ever since.",
            f"That is why {town} has a {animal} on its flag.",
            f"In the morning only the {thing} was left.",
        )
    )
    return ask, "", " ".join((start, middle, turn, end))


def verse(w: Writer) -> Task:
    animal, place, month = w.write("{animal}"), w.write("{place}"), w.write("{month}")
    ask = w.pick(
        (
            f"Write a short poem about a {animal} in {month}.",
            f"Two lines of verse about a {place}, please.",
            f"A small rhyme with a {animal} and a {place}",
            f"Compose a verse: {month}, {animal}, {place}.",
            f"Can you rhyme about {month}?",
        )
    )
    a, b = w.pick(
        (
            ("night", "light"),
            ("stone", "alone"),
            ("rain", "again"),
            ("air", "there"),
            ("day", "away"),
            ("snow", "slow"),
            ("tree", "free"),
            ("ground", "sound"),
            ("door", "more"),
            ("sea", "me"),
        )
    )
    first = w.pick(
        (
            f"A {animal} by the {place} sat, close to {a},",
            f"In {month}, by the {place}, there was {a},",
            f"The {place} in {month} knew nothing but {a},",
            f"Old {animal}, what brings you through {month} and {a}?",
        )
    )
    second = w.pick(
        (
            f"and no one in the {place} could ask for {b}.",
            f"the {animal} turned and hummed a word like {b}.",
            f"it kept for me a little bit of {b}.",
            f"and all that I remember now is {b}.",
        )
    )
    return ask, "", f"{first}\n{second}"


def headline(w: Writer) -> Task:
    project, town, clash, event = (w.write("{" + s + "}") for s in ("project", "town", "reasonclash", "event"))
    count = w.write("{40-900}")
    what = w.pick(
        (
            f"{town} council votes for a {project} after {count} people signed a list",
            f"the {event} in {town} is called off as {clash}",
            f"{count} guests came to the {event} in {town}, a record",
            f"the {project} in {town} costs twice as much because {clash}",
        )
    )
    ask = w.pick(
        (
            "Write a headline for this news.",
            "Find a newspaper headline:",
            "Turn the note into a headline of at most ten words.",
            "Headline, please.",
        )
    )
    if "votes" in what:
        answer = w.pick((f"{town} Says Yes to {project.title()}", f"{count} Signatures Win {town} a {project.title()}"))
    elif "called off" in what:
        answer = w.pick(
            (f"No {event.title()} in {town} This Year", f"{town} Cancels {event.title()}: {capital(clash)}")
        )
    elif "record" in what:
        answer = w.pick(
            (f"Record Crowd of {count} at {town} {event.title()}", f"{event.title()} in {town} Draws {count}")
        )
    else:
        answer = w.pick(
            (
                f"{town}'s {project.title()} Doubles in Price",
                f"Cost of {town} {project.title()} Soars as {capital(clash)}",
            )
        )
    return ask, what, answer


FAMILIES = (story, story, verse, headline)
