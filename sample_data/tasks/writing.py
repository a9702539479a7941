"""Names, slogans, messages, recipes, lists and quizzes."""

from __future__ import annotations

from grammar import Writer, capital

from tasks import Task, listed, plural


def names(w: Writer) -> Task:
    shop, count = w.write("{shop}"), w.pick((2, 3, 4))
    found = [
        f"{w.pick(('The ', '', ''))}{a} {n}"
        for a, n in zip(
            w.sample(w.column("name_adjectives"), count), w.sample(w.column("name_nouns"), count), strict=True
        )
    ]
    ask = w.pick(
        (
            f"Suggest names for a {shop} in {w.write('{town}')}.",
            f"What could I call my {shop}?",
            f"Invent {count} names for a {shop}.",
            f"I'm opening a {shop} with my {w.write('{relative}')}. Name ideas?",
            f"Find a name for a {shop} run by {w.write('{person}')}.",
        )
    )
    return (
        ask,
        "",
        w.pick(
            (
                f"{listed(found, 'or')}.",
                "\n".join(f"{i}. {n}" for i, n in enumerate(found, 1)),
                f"How about {listed(found, 'or')}? {found[0]} is easy to remember.",
            )
        ),
    )


def slogan(w: Writer) -> Task:
    shop, town = w.write("{shop}"), w.write("{town}")
    ask = w.pick(
        (
            f"Write a slogan for a {shop} in {town}.",
            f"I need a tagline for my {shop}, based in {town}.",
            f"Advertise a {town} {shop} in one line.",
            f"Catchy line for a {shop} ({town})?",
        )
    )
    a, b = w.sample(
        (
            "warm hands",
            "early mornings",
            "long talks",
            "good shoes",
            "rainy days",
            "loud laughter",
            "second chances",
            "slow Sundays",
            "big plans",
            "tired feet",
            "small wonders",
            "curious minds",
            "old friends",
            "muddy boots",
        ),
        2,
    )
    answer = w.pick(
        (
            f"The {shop} for {a} and {b}.",
            f"{capital(a)}, {b}, one {shop}.",
            f"{town} has {a}. We have the {shop}.",
            f"From {a} to {b}: your {shop} in {town}.",
            f"Made for {a}. Loved by {town}.",
        )
    )
    return ask, "", answer


def message(w: Writer) -> Task:
    name, event, day, place = (w.write("{" + s + "}") for s in ("person", "event", "day", "place"))
    sender, thing, relative = (w.write("{" + s + "}") for s in ("person", "thing", "relative"))
    way = int(w.rng.integers(4))
    if way == 0:
        ask = w.pick(
            (
                f"Write a short invitation to a {event} on {day} at the {place}, to {name} from {sender}.",
                f"Draft an invitation: {event}, {place}, {day}. To: {name}. Signed: {sender}",
                f"{sender} wants to invite {name} to a {event} ({day}, {place}). Write the text.",
            )
        )
        body = w.pick(
            (
                f"on {day} we hold a {event} at the {place}. Will you come?",
                f"there is a {event} at the {place} this {day}, and it would not be the same without you.",
                f"keep {day} free! We meet at the {place} for a {event}.",
            )
        )
    elif way == 1:
        ask = w.pick(
            (
                f"Write an apology from {sender} to {name} for forgetting the {thing}.",
                f"{sender} broke {name}'s {thing}. Help with a note.",
                f"Say sorry to {name} about the lost {thing} (I'm {sender}).",
            )
        )
        body = w.pick(
            (
                f"I am sorry about the {thing}. It was careless of me, and I'll replace it by {day}.",
                f"the {thing} was my fault alone. Please let me make up for it on {day}.",
                f"I feel bad about your {thing}. May I bring you a new one on {day}?",
            )
        )
    elif way == 2:
        ask = w.pick(
            (
                f"Ask {name} politely to move our meeting from {day}. I'm {sender}.",
                f"Write a mail: reschedule {day}'s meeting with {name}, sign {sender}.",
                f"I ({sender}) can't meet {name} on {day}, my {relative} needs me. Draft a note.",
            )
        )
        body = w.pick(
            (
                f"something came up with my {relative}, so I can't come on {day}. Does the day after suit you?",
                f"could we find another time than {day}? My {relative} needs me then.",
                f"may I ask you to move our talk on {day}? I have to look after my {relative}.",
            )
        )
    else:
        ask = w.pick(
            (
                f"Thank {name} for helping at the {event}, from {sender}.",
                f"Write a thank-you note to {name}, who lent us a {thing} for the {event}. Sender: {sender}.",
                f"{sender} would like to thank {name} for the {thing}. Two sentences.",
            )
        )
        body = w.pick(
            (
                f"thank you for the {thing}. Without you the {event} would have been half as nice.",
                f"the {thing} saved the day at the {event}, and so did you.",
                f"I still smile about the {event}. Your {thing} was just what we lacked.",
            )
        )
    hello = w.pick((f"Dear {name},", f"Hello {name},", f"Hi {name},", f"{name},"))
    bye = w.pick(("Best wishes,", "Yours,", "Warmly,", "See you,", "Kind regards,", "Take care,"))
    return ask, "", f"{hello}\n{body}\n{bye}\n{sender}"


def recipe(w: Writer) -> Task:
    first, second, third = w.sample(w.column("food"), 3)
    spice, minutes = w.pick(w.column("spice")), int(w.rng.integers(2, 9)) * 5
    ask = w.pick(
        (
            f"Suggest a dish with {first}, {second} and {third}.",
            f"I have {first} and {second} left. What can I cook?",
            f"A quick recipe with {first}, {spice} and {second}, please.",
            f"Dinner idea for {int(w.rng.integers(2, 7))} people using {first} and {second}?",
            f"What goes with {first} and {second}? Give a simple recipe.",
        )
    )
    way = w.pick(
        (
            f"Fry the {second} with {spice}, add the {first} and a cup of stock, and simmer for {minutes} minutes.",
            f"Roast {first} and {second} with oil and {spice} for {minutes} minutes, then toss with {third}.",
            f"Layer {first}, {second} and {third} in a dish, season with {spice}, and bake for {minutes} minutes.",
            f"Boil the {first}, crush lightly, and fold in {second} fried in {spice} butter; {minutes} minutes in all.",
        )
    )
    finish = w.pick(
        (
            "Serve with bread.",
            "A spoon of yoghurt rounds it off.",
            "Season to taste.",
            "Leftovers are good cold.",
            f"Add {third} if you have some.",
            "Let it rest under a lid.",
        )
    )
    title = w.pick(
        (
            f"{capital(first)} with {second}",
            f"{capital(spice)} {first}",
            f"Pan of {first} and {second}",
            f"{capital(second)} bake",
        )
    )
    return ask, "", f"{title}: {way} {finish}"


def kit(w: Writer) -> Task:
    purpose, things = w.pick(w.table("kits"))
    count = w.pick((3, 4, 5))
    found = w.sample(things.split("; "), count)
    ask = w.pick(
        (
            f"What do I need for {purpose}?",
            f"List {count} things for {purpose}.",
            f"Packing list for {purpose}, {count} items.",
            f"Name {count} useful things for {purpose}.",
            f"My {w.write('{relative}')} is getting ready for {purpose}. What should not be forgotten?",
            f"Help me prepare for {purpose}: {count} items",
        )
    )
    return (
        ask,
        "",
        w.pick(
            (
                capital(listed(found)) + ".",
                "\n".join(f"- {f}" for f in found),
                "\n".join(f"{i}) {f}" for i, f in enumerate(found, 1)),
                f"Take {listed(found)} along.",
            )
        ),
    )


def brainstorm(w: Writer) -> Task:
    event, shop, job = w.write("{event}"), w.write("{shop}"), w.write("{job}")
    thing, animal, place = plural(w.write("{thing}")), w.write("{animal}"), w.write("{place}")
    ideas = w.sample(
        (
            f"let a local {job} open it",
            f"hide {thing} around the {place} and hold a hunt",
            f"ask the {shop} for prizes",
            f"print a {animal} on the posters",
            "offer a quiet hour for small children",
            f"sell {thing} painted by pupils",
            f"show photos of the {place} from earlier days",
            f"end with lanterns at the {place}",
        ),
        w.pick((2, 3)),
    )
    ask = w.pick(
        (
            f"Give me ideas for a {event}.",
            f"How can we make our {event} special?",
            f"Brainstorm for a {event} at the {place}.",
            f"We run a {event} in {w.write('{month}')}. Ideas?",
            f"Come up with something new for the {event} of the {place}",
        )
    )
    return (
        ask,
        "",
        w.pick(
            (
                "\n".join(f"* {capital(i)}" for i in ideas),
                capital("; ".join(ideas)) + ".",
                f"You could {listed(ideas, 'or')}.",
            )
        ),
    )


def quiz(w: Writer) -> Task:
    person, project, town, month, count = (
        w.write(s) for s in ("{person} {surname}", "{project}", "{town}", "{month}", "{12-96}")
    )
    text = w.pick(
        (
            f"{person} opened the {project} in {town} in {month} with {count} guests.",
            f"In {month}, {count} volunteers from {town} finished the {project} planned by {person}.",
            f"{town} chose {person}'s plan for a {project}; {count} people voted in {month}.",
        )
    )
    ask = w.pick(
        (
            "Write a comprehension question for this text, with the answer.",
            "Make one quiz question from the text.",
            "Ask me something about this passage and give the solution.",
            "Create a question and its answer:",
        )
    )
    answer = w.pick(
        (
            f"Q: What is {person} linked with?\nA: The {project} in {town}.",
            f"Question: How many people does the text mention? Answer: {count}.",
            f"Which month does the {project} in {town} belong to? ({month})",
            f"Q: In which town is the {project}?\nA: {town}.",
        )
    )
    return ask, text, answer


def questions(w: Writer) -> Task:
    job, thing, place, town = w.write("{job}"), plural(w.write("{thing}")), w.write("{place}"), w.write("{town}")
    found = w.sample(
        (
            f"What made you become a {job}?",
            f"Which mistake taught you the most as a {job}?",
            f"How did {town} change your work?",
            f"What do people get wrong about the life of a {job}?",
            f"Do {thing} play any part in your day?",
            f"Which {place} would you like to work in?",
            f"What would a {job} from {town} never do?",
            f"What do you hear most often at the {place}?",
        ),
        w.pick((2, 3)),
    )
    ask = w.pick(
        (
            f"Prepare interview questions for a {job} from {town}.",
            f"I'm talking to a {job} for the school paper. Which questions fit?",
            f"What should I ask a {job} at the {place}?",
            f"Think of questions for a podcast with a {job}",
        )
    )
    return ask, "", w.pick(("\n".join(found), "\n".join(f"{i}. {q}" for i, q in enumerate(found, 1)), " ".join(found)))


FAMILIES = (names, slogan, message, message, recipe, recipe, kit, brainstorm, quiz, questions)
