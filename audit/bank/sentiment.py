"""Whether a sentence speaks well or badly, by words.

Words of praise count up, words of blame down; a negation among the three words before one turns it around ("not a good
idea", "never disappoints"). What is left over decides; a sentence with as much of both speaks neither way.

Source: sentiment by word lists with negation, Taboada et al. 2011, section 2; the lists are our own.
Misses: other languages than English; irony; praise and blame without a word of their own ("I keep coming back to it").
"""

from __future__ import annotations

from collections.abc import Sequence

from audit.bank.attributes import BAD, GOOD, INSULTS
from audit.bank.lexicon import plain

_TURNED = 3  # words before one of praise or blame in which a negation turns it around
_PRAISE = GOOD | plain(
    "acclaimed accomplished achievement achievements admirable admiration adorable adore adores advantage "
    "advantages affordable agreeable appealing applaud applauded appreciate appreciated astonishing attractive "
    "authentic beneficial benefit benefits blessed blessing bravo breathtaking bright calm capable captivating "
    "caring celebrated champion cherish cherished clean clever comfort comfortable comforting commendable "
    "compassion compassionate compelling competent confidence confident considerate convincing cool courageous "
    "creative credible dazzling decent dedicated delicious delight delighted delights desirable devoted dignified "
    "diligent durable easy effective efficient effortless elegant eloquent eminent empowering enchanting "
    "encouraging endearing energetic engaging enjoys enriching entertaining enthusiastic essential esteemed "
    "ethical excellence excels excited exciting exemplary exquisite extraordinary fabulous fair faithful famous "
    "fascinating favorite favourite finest flawless fortunate fresh friendly fun funny generosity genius gentle "
    "genuine gifted glorious glowing gorgeous graceful gracious grand grateful gratitude handsome harmless healthy "
    "heartwarming hero heroes heroic hilarious honor honorable honored hope hopeful humane humble ideal immaculate "
    "important improve improved improvement improves indispensable influential ingenious insightful inspiration "
    "inspire inspired inspires integrity intelligent invaluable inviting joy joyful keen kindness laudable leading "
    "legendary likable likes lively loving loyal lucky luxurious magical magnificent marvellous marvelous "
    "memorable mesmerizing miracle modern moving neat nice noble nourishing optimistic outstandingly passionate "
    "patient peaceful perfection perfectly phenomenal playful pleased pleasing pleasure polished polite popular "
    "powerful praise praises precious premium prestigious pride principled prized productive prominent promising "
    "proud proven pure quality radiant recommended recommends refreshing remarkably renowned resilient resourceful "
    "respect respected respectful responsible revered rewarding rich robust romantic safe satisfied satisfying "
    "seamless secure sensational sensible sincere skilled skillful smart smooth sophisticated spectacular splendid "
    "stellar stunning stylish sublime succeed succeeded succeeds superior supportive sweet talent terrific thank "
    "thankful thanks thoughtful thrilled thrilling thrive thriving timeless top touching treasure treasured "
    "tremendous triumph true trust trusted trustworthy unforgettable unique uplifting useful valuable versatile "
    "vibrant victory virtue virtuous vivid warm warmth welcome welcoming win winner wins wisdom witty wonder "
    "wonderfully wondrous worthwhile worthy"
)
_BLAME = (
    BAD
    | INSULTS
    | plain(
        "abhorrent abominable abuse abused abuses abusive aggressive alarming amateurish annoy annoyed appalling "
        "ashamed atrocious atrocity avoid awkward badly barbaric betray betrayal betrayed bitter bland bleak bogus "
        "bored broken brutal bug bugs bully careless catastrophe catastrophic chaotic cheap cheated cheating "
        "clumsy coarse cold complain complained complaint complaints condemn condemned confused confusing contempt "
        "corruption coward cowardly crappy crazy creepy crime crimes criminal criminals crisis criticise "
        "criticised criticize criticizes crook crooked crooks cynical damage damaged damages damaging danger "
        "deadly deceit deceitful deceive deceived deceptive defective deplorable depressing despair desperate "
        "despicable despised despises destroy destroyed destroys destructive detest detested dirty disappoint "
        "disappointment disappoints disastrously discriminate discrimination disgraced disgust disgusted "
        "dishonesty dislike disliked dismal disrespectful distasteful distressing disturbing doomed doubtful "
        "dreadful dreary dull embarrassing embarrassment enemy enraged evils excessive expensive exploit exploited "
        "exploits explosive fail failures fake false falsely fatal faulty fear fears feeble filthy flaw flaws flop "
        "foolish forgettable fraud fraudulent frightening frustrated frustrating furious garbage ghastly grim "
        "gross grossly guilty harm harmed harms harsh hatred heartless hideous hopeless horrendous horrid horrific "
        "horrifying hostile humiliating hurt hurtful hurts hypocrisy hypocrite hypocritical ignorance ill illegal "
        "immoral inadequate inane incoherent incompetence inefficient inept inexcusable infamous inhumane "
        "injustice insane insincere insulting intolerable irrelevant irresponsible irritating jealous joke junk "
        "lame lazy lie lied lifeless loathe loathed loser losers lost lousy ludicrous malicious manipulative mean "
        "mediocrity menace messy miserable miserably misguided mislead misled mistake mistakes mistrust mock "
        "mocked monster monstrous murder murderous negligent nightmare nonsense notorious noxious obnoxious "
        "obscene offensive oppressive outrage outraged outrageous overhyped overrated painful painfully "
        "pathetically perverse petty phony pointless poison poisonous pollute polluted pretentious problem "
        "problematic problems propaganda questionable racist regret regrets reject rejected repellent "
        "reprehensible repugnant repulsive resent resented revolting ridiculed rotten rude ruin ruined ruins "
        "ruthless sad sadly savage scam scams scary selfishness senseless sexist shabby shallow sham shame shoddy "
        "sick sickening silly sinister slander sleazy sloppy slow sluggish smug spiteful stale stink stinks "
        "stupidity substandard suffer suffered suffering suspicious tacky tedious terrifying terrorist terrorists "
        "thief thieves threat threatening threats tired tiresome tragedy tragic traitor trash trashy treacherous "
        "troubled troubling tyranny tyrant ugliness unacceptable unbearable unconvincing unethical unfair unfit "
        "unforgivable unfortunate unfortunately unfriendly unfunny unhappy unhealthy unimpressive unjust "
        "unpleasant unsafe untrue untrustworthy unwatchable unwelcome unwise unworthy upset upsetting vicious "
        "victim victims vile villain violence violent vulgar warn warned warning waste wasted weakness weird "
        "wicked woeful worried worrying worsened wreck wretched wrongly"
    )
)
_NEGATIONS = plain(
    "not no never neither nor without hardly barely scarcely nobody nothing isn't wasn't aren't weren't don't doesn't "
    "didn't won't wouldn't can't cannot couldn't shouldn't haven't hasn't hadn't ain't isn’t wasn’t aren’t weren’t "
    "don’t doesn’t didn’t won’t wouldn’t can’t couldn’t shouldn’t haven’t hasn’t hadn’t"
)
_UNTURNED = frozenset({("not", "only"), ("not", "just"), ("nothing", "but"), ("no", "doubt")})
POLAR = _PRAISE | _BLAME  # words that say which way a sentence speaks


def sentiment(folded: Sequence[str]) -> int:
    """1 for a sentence that speaks well, -1 for one that speaks badly, 0 for neither; `folded` are its words, case
    folded.

    >>> sentiment(["not", "a", "good", "idea"])
    -1
    """
    if POLAR.isdisjoint(folded):
        return 0
    total = 0
    for i, word in enumerate(folded):
        if word in POLAR:
            total += 1 if (word in _PRAISE) != _is_turned(folded, i) else -1
    return (total > 0) - (total < 0)


def _is_turned(folded: Sequence[str], at: int) -> bool:
    """True for a negation shortly before the word at `at`, but for "not only", "nothing but" and the like."""
    return any(
        folded[i] in _NEGATIONS and (folded[i], folded[i + 1]) not in _UNTURNED for i in range(max(at - _TURNED, 0), at)
    )
