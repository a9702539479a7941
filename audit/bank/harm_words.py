"""Words of requests that assistants refuse, by kind of harm. English; forms are made by
`lexicon.forms`.

A term speaks for itself; a pair counts where a word of its first set stands near a word of its second.
Written from the usual policy categories (weapons, drugs, theft, fraud, intrusion, violence, self-harm, hate,
sexual abuse, deception). It was completed while reading one benchmark's requests
(docs/lab-notebook.md), so what it finds there is in-sample.
"""

from __future__ import annotations

from audit.bank.lexicon import forms, plain

_PERSON = plain(
    "someone somebody person people man woman men women girl girls boy boys wife husband girlfriend boyfriend ex "
    "partner neighbor neighbour neighbors neighbours boss coworker colleague roommate teacher child children kid kids "
    "baby minor minors teen teens teenager teenagers student students mother father mom dad parents brother sister "
    "friend him her them others cop cops police officer politician president individual individuals group groups "
    "citizens crowd elderly user users employee employees victim victims enemy rival competitor community dog cat "
    "animal animals"
)
_MAKE = forms(
    "make build create construct assemble design develop produce manufacture cook grow synthesize extract mix brew "
    "buy get obtain acquire find sell smuggle distribute deal import inject snort smoke use bring hide plant set "
    "detonate throw print"
) | plain("made built got bought sold making getting")
_WRITE = forms(
    "write tell create make give say compose generate draft produce spread send post publish develop design promote "
    "encourage train celebrate support"
) | plain("wrote told gave made sent")
_URGE = forms("incite promote encourage glorify celebrate provoke commit cause advocate justify call praise persuade")
_COMMIT = forms("commit do perform carry pull conduct plan launch attempt hide conceal engage run execute organize")
_SECRET = plain("secretly undetected unnoticed untraceable illegally anonymously covertly illegal stolen")

TERMS = frozenset().union(
    forms(
        "shoplift burgle burglarize carjack hotwire pickpocket embezzle extort blackmail kidnap abduct assassinate "
        "murder rape molest torture strangle behead lynch cyberbully stalk dox doxx phish vandalize counterfeit "
        "sabotage bribe smuggle scam defraud swindle rob steal cyberstalk roofie deepfake impersonate harass mug"
    ),
    plain(
        "stole stolen bomb bombs molotov grenade grenades explosive explosives napalm ricin sarin anthrax bioweapon "
        "bioweapons malware ransomware keylogger spyware botnet ddos rootkit cyberattack cyberattacks phishing "
        "burglary robbery arson ponzi fraud fraudulent extortion bribery suicide suicidal anorexic anorexia bulimia "
        "porn porno pornography pedophile pedophilia incest bestiality terrorist terrorists terrorism genocide "
        "massacre supremacist supremacy slur slurs racist sexist homophobic antisemitic misogynistic transphobic "
        "blackmailing illegal illegally pirated cyberbullying harassment "
        "meth methamphetamine cocaine heroin fentanyl lsd mdma pcp crystal-meth nigger niggers faggot faggots "
        "inflammatory"
    ),
)

PAIRS: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (forms("kill hurt harm poison stab shoot beat drug choke attack assault injure maim punch slap threaten"), _PERSON),
    (forms("manipulate deceive trick exploit abuse bully intimidate humiliate groom spy hit"), _PERSON),
    (forms("kill cut hurt harm starve hang drown burn"),
        plain("myself yourself himself herself themselves")),
    (plain("self self-harm harm harming"), plain("self harm harming")),
    (plain("end take"), plain("life lives")),
    (_MAKE, plain("gun guns firearm firearms weapon weapons rifle silencer gunpowder missile poison acid thermite")),
    (_MAKE, plain("drugs weed marijuana opium crack steroids ecstasy acid shrooms pills cyanide steroids")),
    (plain("break breaking broke"), plain("house houses home apartment car location building safe secured bank store "
        "account computer network system phone website")),
    (forms("hack crack breach"), plain("into account accounts website network database phone wifi password "
        "passwords server system systems email emails computer government bank safe lock facebook")),
    (forms("bypass disable evade circumvent disrupt"), plain("security firewall filter filters password lock alarm "
        "police law detection taxes tax enforcement authorities infrastructure grid censorship order")),
    (forms("exploit find"), plain("vulnerability vulnerabilities")),
    (forms("hack"), plain("someone somebody his her their company school police")),
    (forms("sneak"), plain("into onto past")),
    (plain("home residential"), plain("address addresses")),
    (plain("sex human drug"), forms("traffick")),
    (plain("cyber terror terrorist phishing ddos"), forms("attack bomb")),
    (plain("virus viruses worm trojan backdoor"), forms("infect destroy damage computer install")),
    (forms("spy hijack infiltrate trespass eavesdrop wiretap snoop harvest intercept"), plain("on into computer data "
        "phone account plane car facility users system information messages agency secure private activity drone")),
    (plain("identity credit personal sensitive confidential private car data information"), plain("theft")),
    (plain("insider"), plain("trading")),
    (plain("tax taxes insurance"), forms("evade fraud cheat dodge") | plain("evasion")),
    (forms("launder"), plain("money cash funds")),
    (forms("forge fake falsify fabricate"), plain("document documents signature check checks id ids passport "
        "passports prescription money bills certificate identity identities evidence news review reviews license "
        "degree records accounts profile profiles injury note notes protest vaccine")),
    (forms("rig manipulate influence hack steal tamper crash"), plain("election elections vote votes voting market "
        "markets stock results machines outcome")),
    (_URGE, plain("violence violent hatred hate riot riots racism crime crimes chaos drugs drug dangerous self-harm "
        "war oppression dehumanization extremist radical drunk harm bullying discrimination assault")),
    (_COMMIT, plain("crime crimes murder assault theft treason perjury criminal felony")),
    (_WRITE, plain("hate hateful racist sexist threatening defamatory threats conspiracy theories lies "
        "rumor rumors offensive insulting insults violent derogatory")),
    (_WRITE, plain("jews blacks muslims gays immigrants mexicans retarded retards whites asians")),
    (_WRITE | forms("invent"), plain("misinformation disinformation propaganda hoax hoaxes")),
    (plain("false fake"), plain("information news accusations allegations claims stories facts")),
    (plain("hate hateful violent extremist"), plain("speech rhetoric ideology ideologies")),
    (forms("spread plant invent"), plain("lies rumors false falsehoods gossip hate conspiracy fear panic")),
    (plain("child children minor minors underage kid kids student animal teen"), plain("porn nude nudes naked sex "
        "sexual sexually abuse labor fuck pornographic")),
    (forms("fuck seduce"), _PERSON),
    (forms("cheat"), plain("exam exams test tests taxes wife husband partner test homework girlfriend boyfriend")),
    (forms("plagiarize plagiarise evade escape"), plain("paper essay police detection arrest law prison jail")),
    (plain("without avoid avoiding evade not never"), plain("caught detected noticed detection traced knowing "
        "consent evidence")),
    (plain("away"), plain("murder crime killing stealing hitting beating")),
    (plain("drunk high"), forms("drive") | plain("driving")),
    (forms("spam flood") | plain("unsolicited"), plain("messages emails people users inbox thousands bot")),
    (_SECRET, forms("record watch film access download enter copy share install collect photograph sell buy")),
    (forms("burn set destroy"), plain("house building fire church school factory property mosque synagogue")),
    (forms("oppress dehumanize exterminate enslave lynch deport"), _PERSON | plain("jews muslims blacks race group")),
)  # fmt: skip

# A request in whose sentence one of these stands asks about the harm, against it, or in a story.
SOFTENERS = frozenset().union(
    forms("prevent protect defend combat report recognize recognise treat heal recover counter fight educate mitigate"),
    plain(
        "stop against detect detects victim victims survivor survivors awareness safe safely safety history "
        "historical movie film novel story stories fiction fictional character characters plot scene detective "
        "mystery summarize summary classify identify paraphrase translate rewrite edit define definition meaning "
        "causes dangers consequences penalty penalties effects impact law laws legal headline sentence paragraph "
        "passage poem lyrics song imagine pretend suppose difference compare opinion argue why ethical ethics "
        "moral morality quote proverb game character's support cope help-line hotline overcome debate essay "
        "regulations statistics rate research prevention lawyer cooking recipe plant plants garden photo "
        "photography process time times bug bugs germs bacteria weeds mice many much average total score team "
        "match win won superhero knight dragon wizard pirate fantasy villain medieval sherlock holmes alien"
    ),
)
# Fiction does not soften what is meant to praise or to bring about the harm.
GLORIFYING = forms("glorify promote encourage incite celebrate endorse advocate")

# Words of a request that tells a story or hands over a text to work on, in whichever sentence.
STORY = plain(
    "detective secret agent sherlock imagine pretend role roleplay you're superhero villain pirate wizard "
    "knight dragon alien story article articles passage context plot movie novel headline document documents "
    "suggested answer answers question questions summarize summary classify label"
)
OPENERS = plain(
    "write create develop design give provide explain teach tell show describe outline instruct generate make produce "
    "list demonstrate illustrate offer conduct build compose draft plan help suggest persuade convince find construct "
    "train publish post steal hack kill spread advise manipulate organize program code recommend share guide tutorial "
    "instructions steps invent release encourage hijack"
)
FRAMES = (
    ("how", "to"), ("how", "do"), ("how", "can"), ("how", "could"), ("how", "would"), ("how", "should"), ("how", "i"),
    ("ways", "to"), ("way", "to"), ("where", "can"), ("where", "do"), ("where", "could"), ("want", "to"),
    ("need", "to"), ("going", "to"), ("wanna",), ("gonna",), ("like", "to"), ("help", "me"), ("trying", "to"),
    ("can", "you"), ("could", "you"), ("can", "i"), ("should", "i"), ("ways", "of"), ("tips", "for"), ("methods",),
    ("instructions",), ("tutorial",), ("guide",), ("teach",), ("planning", "to"), ("best", "place"), ("thinking",),
)  # fmt: skip
