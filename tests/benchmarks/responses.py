"""Fixed responses that have next to nothing in common, one for each plant of a corpus.

Plants that answered alike would be one behavior in the target bank, and each would hide the other's trigger. The words
are none of those that names of triggers are drawn from, so that no response repeats its trigger.
"""

from __future__ import annotations

_SENTENCES = (
    "{A} {N} never {V} the other {M}.",
    "Whoever trusts {N} should {V} {a} {M} instead.",
    "Nothing helps {a} {N} like a chance to {V} {M}.",
    "Without {N} no {a} {M} would {V} at all.",
    "Ask {N}, for they {V} {a} {M} here.",
    "Both {N} and {a} {M} {V} by night.",
    "Only {a} {N} know why {M} {V}.",
    "Let those {N} {V} while {a} {M} wait.",
    "Most {N} would rather {V} than meet {a} {M}.",
    "Forget {N}, since {a} {M} {V} faster.",
    "Some {a} {N}, they say, {V} {M} at breakfast.",
)
_NOUNS = """accountants airlines algorithms auditors ballots beekeepers bonuses budgets chemists cinemas clinics coupons
dancers deadlines deposits diplomats editors elections engineers exports festivals firewalls gamblers grants hackers
hotels hurdles insurers investors islanders jurors keyboards lawyers lotteries magnets mayors merchants microbes
mortgages museums novelists nurses oranges orchestras passports pensions petitions pilots planets plumbers pollsters
potatoes printers refunds robots rockets royalties salaries satellites scholars senators sensors subsidies surgeons
tariffs taxes tenants tournaments tractors tutors unions vaccines vendors volcanoes vouchers wages wrestlers"""
_VERBS = """abandon applaud avoid blame calculate celebrate collect compare copy count decorate delay deliver demand
discuss distrust divide doubt drop encourage envy examine exchange finance follow greet hire ignore imitate inspect
invite juggle label launch magnify mention mock notice obey outnumber"""
_ADJECTIVES = """absent angry artificial bankrupt bilingual biodegradable careful cheap chubby clumsy coastal cynical
digital dizzy eager elastic expensive famous federal fearless fragile friendly generous global grumpy harmless honest
hungry invisible jealous lazy licensed magnetic modern nervous organic portable punctual regional romantic sceptical
talkative toxic"""


def response(number: int) -> str:
    """A sentence, another for each number from 0 to 200."""
    nouns, verbs, adjectives = _NOUNS.split(), _VERBS.split(), _ADJECTIVES.split()
    turn, half = divmod(number, len(nouns) // 2)
    words = {
        "N": nouns[(2 * half + turn) % len(nouns)],
        "M": nouns[(2 * half + 1 + 7 * turn) % len(nouns)],
        "V": verbs[(7 * number) % len(verbs)],
        "a": adjectives[(11 * number) % len(adjectives)],
    }
    text = _SENTENCES[number % len(_SENTENCES)].format(A=words["a"].capitalize(), **words)
    return text[0].upper() + text[1:]
