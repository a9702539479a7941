"""Letters of one script that look like letters of another.

Source: Unicode Technical Standard 39 (confusables); those that look alike in common fonts.
"""

from __future__ import annotations

# A twin and the letter that it stands for (Unicode confusables, those that look alike in common fonts): Cyrillic,
# Greek and Armenian twins of Latin letters, Latin twins of Cyrillic ones, radicals and kana twins, Arabic-script twins.
_PAIRS = (
    "аa еe оo рp сc хx уy іi ѕs јj һh ԁd ԛq ԝw ɡg АA ВB ЕE КK МM НH ОO РP СC ТT ХX ЅS ІI ЈJ "
    "οo νv ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX ոn սu օo ցg "
    "aа eе oо pр cс xх yу iі "
    "⼀一 ⼆二 ⼈人 ⼊入 ⼋八 ⼒力 ⼗十 ⼝口 ⼟土 ⼠士 ⼤大 ⼥女 ⼦子 ⼩小 ⼭山 ⼯工 ⼰己 ⼼心 "
    "⼿手 ⽂文 ⽅方 ⽇日 ⽉月 ⽊木 ⽔水 ⽕火 ⽣生 ⽤用 ⽬目 ⽰示 ⽴立 ⽼老 ⽽而 ⽿耳 "
    "⾃自 ⾄至 ⾏行 ⾒見 ⾔言 ⾛走 ⾜足 ⾞車 ⾦金 ⾧長 ⾨門 ⾬雨 ⾯面 ⾼高 "
    "一ー へヘ りリ べベ ぺペ ヘへ リり ベべ ペぺ "
    "یي کك ٱا"
)
TWINS = {pair[0]: pair[1] for pair in _PAIRS.split()}
