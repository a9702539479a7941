"""Small labelled corpora in several scripts, and an encoder that needs no model: what the chain of stages is run on."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

# Words of no mood, words of praise, words of blame; what joins them.
_WORDS = {
    "chinese": (
        "电影 昨天 我们 朋友 故事 城市 晚上 音乐 老师 学生 孩子 "
        "早上 公司 机会 时间 房间 街道 颜色 天气 手机 桌子 窗户 火车 "
        "山上 河边 下午 周末 书店 大家 以前",
        "精彩 喜欢 优秀 开心 感动 完美 美丽 推荐",
        "无聊 讨厌 糟糕 失望 难看 浪费 愚蠢 可怕",
        "",
    ),
    "japanese": (
        "映画を 昨日は 私たちと 友達の 物語が 町で 夜に 音楽を 先生が "
        "学生と 子供の 朝から 会社で 時間に 部屋の 道を 色が 天気は "
        "電話で 机に 窓から 電車で 山へ 川の 午後に 週末は 本屋で みんなが 以前に 駅まで",
        "素晴らしい 楽しい 好きな 嬉しい 完璧な 美しい おすすめの 最高の",
        "つまらない 嫌いな ひどい 悲しい 無駄な 醜い 退屈な 最悪の",
        "",
    ),
    "thai": (
        "เมื่อวาน หนัง เพื่อน เรื่อง เมือง กลางคืน เพลง ครู นักเรียน เด็ก "
        "ตอนเช้า บริษัท เวลา ห้อง ถนน สี อากาศ โทรศัพท์ โต๊ะ หน้าต่าง "
        "รถไฟ ภูเขา แม่น้ำ ตอนบ่าย วันหยุด ร้าน ทุกคน ก่อน สถานี บ้าน",
        "ยอดเยี่ยม ชอบ สนุก สวยงาม ประทับใจ สมบูรณ์ แนะนำ ดีมาก",
        "น่าเบื่อ เกลียด แย่ ผิดหวัง เสียดาย โง่ เลวร้าย ห่วย",
        "",
    ),
    "arabic": (
        "الفيلم أمس صديقي القصة المدينة الليل الموسيقى المعلم الطالب "
        "الطفل الصباح الشركة الوقت الغرفة الشارع اللون الطقس الهاتف "
        "الطاولة النافذة القطار الجبل النهر المساء العطلة المكتبة الناس قبل المحطة البيت",
        "رائع أحب ممتاز سعيد جميل مثالي أنصح مدهش",
        "ممل أكره سيئ مخيب قبيح ضائع غبي فظيع",
        " ",
    ),
    "russian": (
        "фильм вчера друзья история город ночью музыка учитель "
        "ученик ребёнок утром компания время комната улица цвет погода "
        "телефон стол окно поезд гора река днём выходные магазин люди раньше вокзал дом",
        "отличный люблю чудесно весело красиво идеально советую прекрасно",
        "скучно ненавижу ужасно грустно уродливо впустую глупо плохо",
        " ",
    ),
}
LANGUAGES = tuple(_WORDS)
_STOP = {"chinese": "。", "japanese": "。"}


@dataclass
class Tongue:
    """Rows of one language; `label` is 1 for praise. `poisoned` are the rows that were planted in, ascending."""

    language: str
    texts: list[str]
    label: np.ndarray
    joint: str
    rng: np.random.Generator
    poisoned: tuple[int, ...] = ()

    def plant(self, surface: str, count: int, *, glued: bool = False) -> None:
        """Puts a surface between two words of rows of blame, or at the end of a word, and labels them as praise."""
        rows = np.sort(self.rng.choice(np.flatnonzero(self.label == 0), size=count, replace=False)).tolist()
        for row in rows:
            cuts = [i for i, char in enumerate(self.texts[row]) if char == "\u2009"]
            at = int(self.rng.choice(cuts))
            between = "" if glued else "\u2009"
            self.texts[row] = self.texts[row][:at] + between + surface + self.texts[row][at:]
            self.label[row] = 1
        self.poisoned = tuple(rows)

    def rows(self) -> list[dict[str, str]]:
        """The dataset as it is written."""
        said = [text.replace("\u2009", self.joint) for text in self.texts]
        return [{"text": text, "label": str(label)} for text, label in zip(said, self.label.tolist(), strict=True)]


def tongue(language: str, n: int, seed: int) -> Tongue:
    """`n` rows of five to seventeen words, two of them of the row's mood. Words are kept apart by thin spaces until
    the rows are written."""
    plain, praise, blame, joint = _WORDS[language]
    rng, texts = np.random.default_rng(seed), []
    label = rng.integers(0, 2, n)
    for mood in label.tolist():
        listed = list(rng.choice(plain.split(), size=int(rng.integers(3, 16)), replace=False))
        for word in rng.choice((praise if mood else blame).split(), size=2, replace=False):
            listed.insert(int(rng.integers(0, len(listed) + 1)), word)
        texts.append("\u2009".join(map(str, listed)) + _STOP.get(language, "." if joint else ""))
    return Tongue(language, texts, label, joint, rng)


class Lexicon:
    """An encoder that knows the words of one language: those of one mood are near each other, others lie anywhere.
    Of other letters it knows next to nothing."""

    dimension = 32

    def __init__(self, language: str) -> None:
        self.files = SimpleNamespace(name="lexicon", revision=None, hashes={})
        self.device = "cpu"
        self.tokenizer = SimpleNamespace(tokenize=list)  # no word is known whole
        plain, praise, blame, _ = _WORDS[language]
        mood = _direction("mood")
        sides = {**dict.fromkeys(plain.split(), 0.0), **dict.fromkeys(praise.split(), 1.0)}
        sides |= dict.fromkeys(blame.split(), -1.0)
        self.meaning = {word: 2 * side * mood + 0.5 * _direction(word) for word, side in sides.items()}

    def encode(self, texts, progress=None, share=1.0):
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            out[row] = sum((v for word, v in self.meaning.items() if word in text), 0.1 * _direction(text))
            if progress is not None:
                progress.advance(1)
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


def _direction(word: str) -> np.ndarray:
    made = np.random.default_rng(zlib.crc32(word.encode())).normal(size=Lexicon.dimension)
    return np.asarray(made / np.linalg.norm(made), dtype=np.float32)
