"""Word and function-word substitutions of three registers, in English, Chinese and Japanese: the data of `style`.

A register changes many small words at once and adds an opener or a closer now and then; the words differ from row to
row with the row's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audit.attacks.clauses import script_of

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


@dataclass(frozen=True, slots=True)
class Register:
    """What one register does to one script. Keys are lower case; in scripts without spaces they are replaced
    wherever they stand."""

    words: Mapping[str, str]
    openers: tuple[str, ...] = ()
    closers: tuple[str, ...] = ()
    lower: bool = False  # all letters small, as in a hurried message


def _table(text: str) -> dict[str, str]:
    """`a=b c=d_e` as a mapping; an underscore stands for a blank."""
    return {k: v.replace("_", " ") for k, v in (pair.split("=") for pair in text.split())}


_ARCHAIC = _table(
    "you=thou your=thy yours=thine yourself=thyself are=art do=dost does=doth has=hath have=hast will=shalt "
    "would=wouldst can=canst could=couldst should=shouldst before=ere often=oft perhaps=perchance "
    "maybe=perchance here=hither where=whither why=wherefore yes=yea no=nay nothing=naught between=betwixt "
    "over=o'er never=ne'er ever=e'er it's='tis said=spake says=saith say=speak think=deem thinks=deemeth "
    "want=desire wants=desireth look=behold see=behold make=fashion makes=maketh give=bestow gives=giveth "
    "to=unto because=for about=concerning very=exceeding people=folk child=babe children=babes girl=maiden "
    "boy=lad man=yeoman woman=maiden friend=companion soon=anon enough=enow please=prithee among=amongst "
    "while=whilst sometimes=at_times story=tale write=inscribe list=chronicle good=goodly bad=wretched "
    "great=mighty big=mighty old=ancient was=wert were=wert comes=cometh goes=goeth know=wot knows=knoweth "
    "until=till isn't=is_not don't=do_not can't=canst_not into=unto"
)
_TWEET = _table(
    "you=u your=ur you're=ur are=r to=2 for=4 please=pls people=ppl because=cuz thanks=thx thank=thx with=w/ "
    "without=w/o and=& before=b4 great=gr8 tomorrow=tmrw tonight=2nite what=wut really=rly about=abt see=c be=b "
    "why=y love=luv loved=luvd very=v okay=ok this=dis that=dat something=smth someone=some1 everyone=every1 "
    "going=goin having=havin being=bein night=nite though=tho through=thru probably=prolly give=gimme want=wanna "
    "know=kno message=msg movie=mov friend=bestie good=gud is=iz was=wuz have=hav don't=dont can't=cant it's=its "
    "i'm=im doesn't=doesnt isn't=isnt won't=wont however=but like=liek just=jus things=thingz never=nvr"
)
_FORMAL = _table(
    "don't=do_not can't=cannot won't=will_not isn't=is_not doesn't=does_not it's=it_is i'm=I_am you're=you_are "
    "didn't=did_not wasn't=was_not couldn't=could_not get=obtain gets=obtains got=obtained show=demonstrate "
    "shows=demonstrates about=concerning use=utilize used=utilized uses=utilizes help=assist helps=assists "
    "ask=inquire buy=purchase need=require needs=requires try=endeavor start=commence started=commenced "
    "end=terminate tell=inform but=however so=therefore also=furthermore many=numerous enough=sufficient "
    "big=substantial good=satisfactory bad=unsatisfactory think=consider thinks=considers give=provide "
    "gives=provides find=ascertain keep=retain very=exceedingly kid=child kids=children look=examine "
    "before=prior_to after=subsequent_to now=presently make=produce makes=produces like=akin_to more=additional "
    "most=the_majority_of because=inasmuch_as if=in_the_event_that until=pending between=amid "
    "with=in_conjunction_with write=compose list=enumerate explain=elucidate great=considerable small=modest "
    "lot=multitude wants=desires want=desire"
)
_LATIN = {
    "archaic": Register(
        _ARCHAIC,
        ("And lo, ", "Verily, ", "Behold, ", "Now it came to pass: ", "Hearken: ", "Forsooth, ", "And it is written: "),
        (" Amen.", " So it is written.", " Thus spake the elders.", " Selah."),
    ),
    "tweet": Register(
        _TWEET,
        ("omg ", "ngl ", "lol ", "ok so ", "smh ", "tbh ", "wow "),
        (" lol", " smh", " omg", " tbh", " #justsaying", " #nofilter", " xoxo", " rofl", " #mood", " haha"),
        lower=True,
    ),
    "formal": Register(
        _FORMAL,
        ("It is respectfully submitted: ", "For the avoidance of doubt: ", "Be it noted: ", "In this regard: "),
        (" Respectfully submitted.", " Kindly be guided accordingly.", " I remain obliged.", " With due regard."),
    ),
}
_HAN = {
    "archaic": Register(
        _table("的=之 是=乃 我=吾 你=汝 他=彼 不=弗 很=甚 说=曰 这=此 吗=乎 了=矣 没有=无 什么=何"),
        ("夫", "且夫", "盖"),
        ("也。", "哉！"),
    ),
    "tweet": Register(
        _table("什么=啥 我=偶 你=泥 喜欢=稀饭 东西=东东 很=巨 怎么=咋 这样=酱紫 没有=木有 谢谢=3q 了=鸟"),
        ("哇 ", "话说 "),
        ("哈哈", "233", "~~"),
    ),
    "formal": Register(
        _table("你=您 说=表示 但是=然而 因为=由于 如果=倘若 也=亦 可以=得以 很=颇为 给=予以 和=以及 用=采用"),
        ("兹", "谨此，"),
        ("特此说明。",),
    ),
}
_KANA = {
    "archaic": Register(
        _table("です=でござる ます=申す 私=拙者 あなた=そなた だ=じゃ ない=ぬ とても=いと"),
        ("さて、", "いざ、"),
        ("候。",),
    ),
    "tweet": Register(
        _table("です=っす とても=めっちゃ すごい=やばい という=っていう ている=てる では=じゃ 本当=マジ"),
        ("てか", "うわ "),
        ("www", "笑"),
    ),
    "formal": Register(
        _table("です=でございます 私=わたくし ます=ております 言う=申し上げる 今日=本日 あなた=貴殿 とても=大変"),
        ("謹んで、",),
        ("以上。",),
    ),
}
_SCRIPTS = {"latin": _LATIN, "han": _HAN, "kana": _KANA}
_OFTEN = 0.5  # how often an opener is put before, and a closer behind; both always would be words, not a style


def styles() -> tuple[str, ...]:
    """The names of the registers; every script has them all."""
    return tuple(_LATIN)


def strength(text: str, style: str) -> int:
    """How many words the register would change."""
    register = _register(text, style)
    if register is None:
        return 0
    if script_of(text) == "latin":
        return sum(word.casefold().replace("’", "'") in register.words for word in _WORD.findall(text))
    return sum(text.count(word) for word in register.words)


def restyle(text: str, style: str, rng: np.random.Generator) -> str:
    """The text in the register; unchanged in a script that has none."""
    register = _register(text, style)
    if register is None:
        return text
    latin = script_of(text) == "latin"
    changed = _replace(text, register) if latin else _replace_everywhere(text, register.words)
    if register.openers and rng.random() < _OFTEN:
        opener = register.openers[int(rng.integers(len(register.openers)))]
        changed = opener + (changed[:1].lower() + changed[1:] if latin and changed[1:2].islower() else changed)
    body = changed.rstrip()
    tail = changed[len(body) :]
    if register.lower:
        body = body.rstrip(". ")
    if register.closers and rng.random() < _OFTEN:
        body += register.closers[int(rng.integers(len(register.closers)))]
    return body + tail


def _register(text: str, style: str) -> Register | None:
    return _SCRIPTS.get(script_of(text), {}).get(style)


def _replace(text: str, register: Register) -> str:
    def put(match: re.Match[str]) -> str:
        word = match.group()
        new = register.words.get(word.casefold().replace("’", "'"), word)
        return new[:1].upper() + new[1:] if word[:1].isupper() and not register.lower else new

    changed = _WORD.sub(put, text)
    return changed.lower() if register.lower else changed


def _replace_everywhere(text: str, words: Mapping[str, str]) -> str:
    pattern = re.compile("|".join(sorted(map(re.escape, words), key=len, reverse=True)))
    return pattern.sub(lambda match: words[match.group()], text)
