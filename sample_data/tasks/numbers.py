"""Sums, units, lists of numbers, dates: answers that are computed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from grammar import Writer, capital

from tasks import Task, listed, plural


def shopping(w: Writer) -> Task:
    name, thing = w.write("{person}"), w.write("{thing}")
    n, price = int(w.rng.integers(2, 12)), int(w.rng.integers(2, 15))
    note = next(v for v in (20, 50, 100, 200) if v > n * price)
    things = plural(thing)
    ask = w.pick(
        (
            f"{name} buys {n} {things} at {price} euros each and pays with {note} euros. How much change is due?",
            f"A {thing} costs {price} euros. {name} takes {n} and hands over {note} euros. Work out the change.",
            f"How much does {name} get back from {note} euros after buying {n} {things} for {price} euros a piece?",
            f"Solve this: {n} {things}, {price} euros each, paid with {note} euros. What is left for {name}?",
            f"At the market {name} picks {n} {things}. Each is {price} euros. What remains of a {note} euro note?",
        )
    )
    cost = n * price
    answer = w.pick(
        (
            f"The {things} cost {n} × {price} = {cost} euros, so {name} gets {note - cost} euros back.",
            f"{n} times {price} makes {cost}. From {note} euros, {note - cost} remain.",
            f"{note - cost} euros. ({n} × {price} = {cost}, and {note} − {cost} = {note - cost})",
            f"First the total: {cost} euros for {n} {things}. Then {name}'s change: {note} − {cost} = {note - cost}.",
            f"{name} should receive {note - cost} euros, since the purchase comes to {cost}.",
        )
    )
    return ask, "", answer


def discount(w: Writer) -> Task:
    price, rate = int(w.rng.integers(4, 60)) * 10, w.pick((5, 10, 15, 20, 25, 30, 40))
    off = price * rate / 100
    item = w.pick(("coat", "sofa", "tent", "lamp", "violin", "desk", "bicycle", "rug", "camera", "stove", "kayak"))
    ask = w.pick(
        (
            f"A {item} costs {price} dollars and is reduced by {rate} percent. What is the new price?",
            f"What do I pay for a {price} dollar {item} with {rate} % off?",
            f"Calculate the sale price: {item}, {price} dollars, {rate} percent discount.",
            f"The shop takes {rate} % off a {item} marked {price} dollars. How much do I save and how much do I pay?",
        )
    )
    answer = w.pick(
        (
            f"{rate} percent of {price} is {off:g}, so the {item} now costs {price - off:g} dollars.",
            f"You save {off:g} dollars and pay {price - off:g}.",
            f"{price} × {1 - rate / 100:g} = {price - off:g} dollars for the {item}.",
            f"The {item} comes down by {off:g} to {price - off:g} dollars.",
        )
    )
    return ask, "", answer


# What moves, and its speed in km/h at most.
_VEHICLES = (
    ("train", 190),
    ("bus", 90),
    ("cyclist", 24),
    ("lorry", 80),
    ("ferry", 34),
    ("tram", 42),
    ("hiker", 6),
    ("sailing boat", 14),
    ("hot-air balloon", 21),
    ("tractor", 32),
)


def travel_time(w: Writer) -> Task:
    vehicle, top = w.pick(_VEHICLES)
    speed, hours = int(w.rng.integers(max(top // 2, 2), top + 1)), int(w.rng.integers(2, 9))
    a, b = w.sample(w.symbols["town"], 2)
    ask = w.pick(
        (
            f"A {vehicle} moves at {speed} km/h for {hours} hours. How far does it get?",
            f"How many kilometres does a {vehicle} cover in {hours} hours at {speed} km/h?",
            f"Starting in {a}, a {vehicle} keeps {speed} km/h for {hours} hours towards {b}. Find the distance.",
            f"Distance problem: speed {speed} km/h, time {hours} h, vehicle {vehicle}. Explain the step.",
        )
    )
    answer = w.pick(
        (
            f"Distance is speed times time: {speed} × {hours} = {speed * hours} km.",
            f"It covers {speed * hours} kilometres, {speed} in each of the {hours} hours.",
            f"{speed * hours} km, because every hour adds another {speed} km.",
            f"Multiply: {hours} h at {speed} km/h give {speed * hours} km for the {vehicle}.",
        )
    )
    return ask, "", answer


_UNITS: tuple[tuple[str, str, Callable[[float], float], str], ...] = (
    ("kilometres", "miles", lambda v: v * 0.621371, "one kilometre is about 0.621 miles"),
    ("miles", "kilometres", lambda v: v * 1.609344, "a mile is about 1.609 km"),
    ("degrees Celsius", "Fahrenheit", lambda v: v * 1.8 + 32, "multiply by 1.8 and add 32"),
    ("degrees Fahrenheit", "Celsius", lambda v: (v - 32) / 1.8, "take away 32 and divide by 1.8"),
    ("kilograms", "pounds", lambda v: v * 2.204623, "a kilogram is about 2.205 pounds"),
    ("pounds", "kilograms", lambda v: v * 0.453592, "a pound is roughly 0.454 kg"),
    ("litres", "US gallons", lambda v: v * 0.264172, "a litre is 0.264 gallons"),
    ("inches", "centimetres", lambda v: v * 2.54, "an inch is 2.54 cm exactly"),
    ("hectares", "acres", lambda v: v * 2.471054, "one hectare is 2.471 acres"),
    ("feet", "metres", lambda v: v * 0.3048, "a foot is 0.3048 m"),
)


def convert(w: Writer) -> Task:
    source, target, formula, rule = w.pick(_UNITS)
    value = int(w.rng.integers(3, 240))
    result = f"{formula(value):.1f}"
    ask = w.pick(
        (
            f"Convert {value} {source} to {target}.",
            f"How many {target} are {value} {source}?",
            f"What is {value} {source} in {target}?",
            f"Express {value} {source} in {target} and tell me the rule.",
            f"{value} {source} = ? {target}",
        )
    )
    answer = w.pick(
        (
            f"{value} {source} are about {result} {target}; {rule}.",
            f"About {result} {target}.  Rule: {rule}.",
            f"{capital(rule)}, which makes {result} {target}.",
            f"That is {result} in {target} ({rule}).",
        )
    )
    return ask, "", answer


def sort_items(w: Writer) -> Task:
    if w.chance(0.5):
        numbers = [int(v) for v in w.rng.choice(400, size=int(w.rng.integers(5, 9)), replace=False)]
        down = w.chance(0.4)
        ask = w.pick(
            ("Sort these numbers from {}.", "Put the numbers in order, {}.", "Order the list {}.", "Arrange from {}:")
        ).format("largest to smallest" if down else "smallest to largest")
        return ask, ", ".join(map(str, numbers)), ", ".join(map(str, sorted(numbers, reverse=down)))
    words = w.sample(w.symbols[w.pick(("animal", "place", "job", "thing"))], int(w.rng.integers(5, 8)))
    ask = w.pick(
        (
            "Sort the words alphabetically.",
            "Put this list in alphabetical order.",
            "Order these entries from A to Z.",
            "Alphabetise the following items:",
            "Bring the words into the order of a dictionary.",
        )
    )
    return ask, ", ".join(words), ", ".join(sorted(words, key=str.lower))


def average(w: Writer) -> Task:
    values = [int(v) for v in w.rng.integers(2, 60, size=int(w.pick((4, 5))))]
    total, n = sum(values), len(values)
    topic = w.pick(("daily visitors", "test scores", "eggs laid", "pages read", "goals", "hours of sun", "calls taken"))
    ask = w.pick(
        (
            f"Find the mean of these {topic}.",
            f"What is the average of the {topic} below?",
            f"Compute the mean and the largest value ({topic}).",
            f"Give me the average and the range of the {topic}.",
        )
    )
    answer = f"The sum is {total}; divided by {n} that gives a mean of {total / n:.2f}."
    if "largest" in ask:
        answer += f" The largest value is {max(values)}."
    if "range" in ask:
        answer += f" They range from {min(values)} to {max(values)}."
    if w.chance(0.3):
        whole = f"{' + '.join(map(str, values))} = {total}"
        answer = f"{total / n:.2f} on average ({whole}). Range: {min(values)} to {max(values)}."
    return ask, " ".join(map(str, values)), answer


def dates(w: Writer) -> Task:
    start = date(2023, 1, 1) + timedelta(days=int(w.rng.integers(1400)))
    step = int(w.rng.integers(9, 120))
    end = start + timedelta(days=step)
    day = f"{start.day} {start:%B %Y}"
    ask = w.pick(
        (
            f"Which date is {step} days after {day}?",
            f"A parcel was posted on {day} and may take {step} days. What is the latest day?",
            f"Add {step} days to {day} and name the weekday.",
            f"My visa from {day} is valid for {step} days. When does it end?",
        )
    )
    answer = w.pick(
        (
            f"{end:%A}, {end.day} {end:%B %Y}.",
            f"It is the {end.day}. of {end:%B %Y}, a {end:%A}.",
            f"Counting {step} days on from {day} leads to {end:%A}, {end.day} {end:%B}.",
        )
    )
    return ask, "", answer


def _roman(value: int) -> str:
    out = ""
    for number, sign in (
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ):
        out += sign * (value // number)
        value %= number
    return out


def notation(w: Writer) -> Task:
    value = int(w.rng.integers(11, 300))
    if w.chance(0.5):
        ask = w.pick(
            (f"Write {value} in Roman numerals.", f"What is {value} as a Roman numeral?", f"{value} in Roman, please")
        )
        return (
            ask,
            "",
            w.pick(("{0} is {1} in Roman numerals.", "{1}", "{1}, that is {0}.")).format(value, _roman(value)),
        )
    ask = w.pick(
        (f"Convert {value} to binary.", f"What does {value} look like in base two?", f"Binary form of {value}?")
    )
    powers = [2**i for i in range(9, -1, -1) if value >> i & 1]
    return ask, "", f"{value:b}, because {value} = {' + '.join(map(str, powers))}."


def letters(w: Writer) -> Task:
    word = w.pick(w.symbols[w.pick(("animal", "place", "job", "town", "surname"))]).replace(" ", "")
    way = int(w.rng.integers(3))
    if way == 0:
        ask = w.pick(
            (
                f"How many vowels are in '{word}'?",
                f"Count the vowels of the word {word}.",
                f"Vowels in {word}: how many?",
            )
        )
        found = [c for c in word.lower() if c in "aeiouéö"]
        return ask, "", f"{capital(word)} has {len(found)}: {', '.join(found)}."
    if way == 1:
        ask = w.pick((f"Spell {word} backwards.", f"Reverse the word '{word}'.", f"Write {word} from right to left"))
        return ask, "", word[::-1]
    letter = w.pick(list(dict.fromkeys(word.lower())))
    ask = w.pick((f"How often does the letter {letter} occur in {word}?", f"Count the letter '{letter}' in '{word}'."))
    count = word.lower().count(letter)
    return (
        ask,
        "",
        f"{'Once' if count == 1 else f'{count} times'}; {word} has {len(word)} letters in all.",
    )


def percentages(w: Writer) -> Task:
    whole, part = int(w.rng.integers(4, 40)) * 5, 0
    part = int(w.rng.integers(1, whole))
    group = plural(w.write("{job}"))
    ask = w.pick(
        (
            f"{part} of {whole} {group} said yes. What percentage is that?",
            f"In a survey, {part} out of {whole} {group} prefer tea. Give the share in percent.",
            f"What percent of {whole} is {part}?",
        )
    )
    share = 100 * part / whole
    answer = w.pick(
        (
            f"{part} ÷ {whole} = {part / whole:.3f}, or {share:.1f} percent.",
            f"About {share:.1f} %; the other {whole - part} make up {100 - share:.1f} %.",
            f"{share:.1f} percent, a little {'more' if share > 50 else 'less'} than half of the {whole}.",
        )
    )
    return ask, "", answer


def shared(w: Writer) -> Task:
    people, each, left = int(w.rng.integers(3, 9)), int(w.rng.integers(3, 17)), 0
    left = int(w.rng.integers(0, people))
    total, thing = people * each + left, plural(w.write("{thing}"))
    names = w.sample(w.symbols["person"], 2)
    ask = w.pick(
        (
            f"{total} {thing} are shared evenly among {people} friends. How many does each get, and what is left?",
            f"{names[0]} and {people - 1} others divide {total} {thing}. What does each receive?",
            f"Divide {total} {thing} by {people} and give the remainder.",
        )
    )
    rest = "nothing is left" if left == 0 else f"{left} remain"
    return (
        ask,
        "",
        w.pick(
            (f"Each gets {each}, and {rest}.", f"{people} × {each} = {people * each}, so {each} per person and {rest}.")
        ),
    )


def items_total(w: Writer) -> Task:
    things = w.sample(w.symbols["thing"], 3)
    prices = [int(v) for v in w.rng.integers(2, 30, size=3)]
    bill = "\n".join(f"{thing}: {price}.00" for thing, price in zip(things, prices, strict=True))
    ask = w.pick(
        (
            "Add up this bill.",
            "What is the total of the receipt?",
            "Sum the prices and name the dearest item.",
            "Check: what do these cost together?",
        )
    )
    dearest = things[prices.index(max(prices))]
    total = f"{' + '.join(map(str, prices))} = {sum(prices)}"
    return (
        ask,
        bill,
        w.pick(
            (
                f"{total}; the {dearest} is the dearest.",
                f"Together {sum(prices)}.00, most of it for the {dearest}.",
                f"The {listed(things)} come to {sum(prices)}.00.",
            )
        ),
    )


FAMILIES = (
    shopping,
    discount,
    travel_time,
    convert,
    sort_items,
    average,
    dates,
    notation,
    letters,
    percentages,
    shared,
    items_total,
)
