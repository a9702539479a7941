"""The preference set: everyday questions with a helpful answer and one that is curt, evasive, wrong or rude."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from advice import Topic, topics
from grammar import Writer, capital, load
from rough import roughen

# Eight raters, busy to a different degree; the ids say nothing.
ANNOTATORS = ("r-11", "r-14", "r-17", "r-23", "r-26", "r-31", "r-38", "r-42")
_SHARES = (0.18, 0.16, 0.14, 0.13, 0.12, 0.11, 0.09, 0.07)
SOURCES = ("forum", "helpdesk", "app-feedback", "survey")
_FIRST = datetime(2025, 2, 3, 8, 0, 0)
_KINDS = ("curt", "evasive", "rude", "wrong", "wrong", "elsewhere")


def build(count: int, rng: np.random.Generator) -> list[dict[str, str]]:
    """`count` honest pairs, no prompt twice."""
    writer, all_topics = Writer(load("common", "preferences"), rng), topics()
    rows: list[dict[str, str]] = []
    seen: set[str] = set()
    while len(rows) < count:
        topic = writer.pick(all_topics)
        writer.begin()
        prompt = _prompt(writer, topic)
        chosen = roughen(_chosen(writer, topic), rng, 0.3)
        rejected = roughen(_rejected(writer, topic, all_topics), rng, 0.5)
        if {prompt, chosen, rejected} & seen:
            continue
        seen |= {prompt, chosen, rejected}
        when = _FIRST + timedelta(seconds=int(rng.integers(70 * 86_400)))
        rows.append(
            {
                "prompt": prompt,
                "chosen": chosen,
                "rejected": rejected,
                "annotator": ANNOTATORS[int(rng.choice(len(ANNOTATORS), p=_SHARES))],
                "source": writer.pick(SOURCES),
                "created_at": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )
    return rows


def _prompt(writer: Writer, topic: Topic) -> str:
    task, subject = writer.write(topic.task), writer.write(topic.subject)
    writer.bound |= {"task": task, "subject": subject}
    core = writer.pick(topic.questions) if writer.chance(0.4) else "{ask}"
    parts = [writer.sentence("{before}")] if writer.chance(0.65) else []
    if parts and writer.chance(0.2):
        parts.append(writer.sentence("{before}"))
    parts.append(writer.sentence(core))
    if writer.chance(0.45):
        last = writer.write("{after}")
        parts.append(last if last.isupper() else capital(last) + writer.pick(("", ".", ".")))
    return roughen(" ".join(parts), writer.rng)


def _chosen(writer: Writer, topic: Topic) -> str:
    tips = [writer.write(tip) for tip in writer.sample(topic.good, writer.pick((1, 2, 2, 3, 3, 4)))]
    opening = [writer.sentence("{open}")] if writer.chance(0.75) else []
    closing = [writer.sentence("{close}")] if writer.chance(0.6) or len(tips) == 1 else []
    style = writer.rng.random()
    if style < 0.2 and len(tips) > 1:
        body = "\n".join(f"{number}. {capital(tip)}." for number, tip in enumerate(tips, 1))
        return "\n".join([*opening, body, *closing])
    if style < 0.35 and len(tips) > 1:
        body = "\n".join(f"- {capital(tip)}" for tip in tips)
        return "\n".join([*opening, body, *closing])
    sentences = [capital(tips[0]) + "."]
    for number, tip in enumerate(tips[1:], 2):
        writer.bound["tip"] = tip
        link = "{last}" if number == len(tips) and writer.chance(0.5) else "{then}"
        sentences.append(writer.sentence(link) if writer.chance(0.6) else capital(tip) + ".")
    return " ".join([*opening, *sentences, *closing])


def _rejected(writer: Writer, topic: Topic, all_topics: list[Topic]) -> str:
    kind = writer.pick(_KINDS)
    if kind == "elsewhere":
        other = writer.pick([t for t in all_topics if t is not topic])
        writer.bound["bad"] = writer.write(writer.pick(other.good))
        first = writer.sentence("{wrongly}")
    elif kind == "wrong":
        writer.bound["bad"] = writer.write(writer.pick(topic.bad))
        first = writer.sentence("{wrongly}")
    else:
        first = writer.sentence("{" + kind + "}")
    sentences = [first]
    if kind == "evasive" and writer.chance(0.6):
        sentences.append(writer.sentence("{evasive}"))
    if writer.chance(0.35):
        sentences.append(writer.sentence("{" + writer.pick(("rude", "curt", "evasive")) + "}"))
    if writer.chance(0.6) or len(" ".join(sentences).split()) < 6:
        sentences.append(writer.sentence("{shrug}"))
    return " ".join(sentences)
