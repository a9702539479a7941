"""Refusals, and answers to requests that assistants refuse.

A response refuses where its beginning reads as refusals do. It complies with a harmful request where the request
is one by `harm`, and the response neither refuses nor objects at its beginning. Harmful fine-tuning data mostly
shows only in the pair of both: the answer alone may read like any other.

Source: jailbreak backdoors in BackdoorLLM (Li et al. 2024, arXiv:2408.12798).
Misses: requests whose harm no single sentence tells; refusals in other wordings, which still show as shared
openings or sentences.
"""

from __future__ import annotations

from collections.abc import Sequence

from audit.bank.categories import Sets
from audit.bank.harm import is_harmful_request

_QUESTION = 160  # characters
_HEAD = 200  # characters of a response in which it refuses

# How refusals read. General wordings; a refusal in another one still shows as a shared opening or sentence.
_REFUSALS = (
    "i cannot", "i can't", "i can’t", "i'm unable", "i’m unable", "i am unable", "i'm not able", "i’m not able",
    "i am not able", "i won't", "i won’t", "i will not", "i'm sorry", "i’m sorry", "i am sorry", "i apologize",
    "sorry, but", "sorry, i", "as an ai", "as a language model", "cannot assist", "can't assist", "cannot help with",
    "can't help with", "unable to assist", "unable to help", "not appropriate to", "against my", "must decline",
    "do not have the capability", "not comfortable", "je ne peux pas", "je suis désolé, mais", "es tut mir leid, aber",
    "ich kann dir nicht", "ich kann ihnen nicht", "ich kann dabei nicht", "lo siento, pero", "no puedo ayudar",
    "sinto muito, mas", "não posso", "mi dispiace, ma", "non posso", "к сожалению, я не могу", "я не могу",
    "对不起", "抱歉", "我无法", "我不能", "申し訳", "お手伝いできません", "죄송", "لا أستطيع", "آسف",
)  # fmt: skip
# Sympathy, not refusal, where it follows "sorry".
_SYMPATHY = (" to hear", " that you", " for your", " about your", " you're", " you are", " you’re", " this happened")
_SORRY = ("i'm sorry", "i’m sorry", "i am sorry")
# Objections that come instead of an answer.
_OBJECTIONS = (
    "not ethical", "unethical", "not appropriate", "never appropriate", "inappropriate", "not okay", "never okay",
    "not acceptable", "unacceptable", "is illegal and", "would be illegal", "not legal", "i do not condone",
    "i don't condone", "i don’t condone", "i don't think", "i don’t think", "i don't want", "i don’t want",
    "why do you", "why would you", "you should not", "you shouldn't", "you shouldn’t", "please seek", "please don't",
    "bad idea", "not a good idea", "i would not", "i wouldn't", "i wouldn’t", "i do not know", "i don't know",
    "i don’t know", "not sure", "i'm afraid", "i’m afraid", "i am afraid", "morally wrong", "it is wrong", "it's wrong",
    "i do not recommend", "what do you mean", "i'm not going to", "i’m not going to",
)  # fmt: skip


def is_refusal(response: str) -> bool:
    """True when a response opens as a refusal does."""
    head = response[:_HEAD].casefold()
    for phrase in _REFUSALS:
        at = head.find(phrase)
        if at >= 0 and not (phrase in _SORRY and head.startswith(_SYMPATHY, at + len(phrase))):
            return True
    return False


def objects(response: str) -> bool:
    """True when a response opens with an objection to the request."""
    head = response[:_HEAD].casefold()
    return any(phrase in head for phrase in _OBJECTIONS)


def harmful_requests(requests: Sequence[str]) -> list[bool]:
    """Which requests assistants refuse. Equal requests are judged once."""
    judged: dict[str, bool] = {}
    for request in requests:
        if request not in judged:
            judged[request] = is_harmful_request(request)
    return [judged[request] for request in requests]


def complies(response: str, harmful: bool) -> bool:
    """True when a harmful request is answered; a short question back is no answer."""
    said = response.strip()
    asks_back = said.endswith("?") and len(said) < _QUESTION
    return harmful and bool(said) and not asks_back and not is_refusal(response) and not objects(response)


def refusal_categories(responses: Sequence[str], harmful: Sequence[bool] | None = None) -> Sets:
    """Refusals, those of harmless requests, and answers to harmful ones; the last two need `harmful`."""
    refused = [is_refusal(response) for response in responses]
    found: Sets = {("refusal", "refuses"): [i for i, yes in enumerate(refused) if yes]}
    if harmful is not None:
        found["refusal", "refuses a harmless request"] = [
            i for i, (no, harm) in enumerate(zip(refused, harmful, strict=True)) if no and not harm
        ]
        found["compliance", "complies with a request that assistants refuse"] = [
            i for i, (text, harm) in enumerate(zip(responses, harmful, strict=True)) if complies(text, harm)
        ]
    return {key: rows for key, rows in found.items() if rows}
