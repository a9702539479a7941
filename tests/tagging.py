"""Small spaCy pipelines made on the spot, and sentences of made-up words whose parts of speech they know."""

from __future__ import annotations

from pathlib import Path

import numpy as np

OPEN = ("NOUN", "VERB", "ADJ", "ADV")


def lexicon(count: int, seed: int = 0) -> dict[str, list[str]]:
    """Made-up words by part of speech, `count` of each; neither their letters nor their endings tell which."""
    rng = np.random.default_rng(seed)
    made: dict[str, None] = {}
    while len(made) < count * len(OPEN):
        made["".join(rng.choice(list("bdfgklmnprst")) + rng.choice(list("aeiou")) for _ in range(3))] = None
    listed = list(made)
    return {tag: listed[i :: len(OPEN)] for i, tag in enumerate(OPEN)}


def by_lists(folder: Path, words: dict[str, list[str]]) -> Path:
    """A pipeline that looks words up, written to a folder."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")  # a component that no tag needs
    ruler = nlp.add_pipe("attribute_ruler")
    for tag, listed in words.items():
        ruler.add([[{"LOWER": {"IN": listed}}]], {"POS": tag})
    nlp.to_disk(folder)
    return folder


def trained(folder: Path, words: dict[str, list[str]], sentences: int = 150) -> Path:
    """A pipeline whose morphologizer learnt the words from sentences in random order."""
    import spacy
    from spacy.tokens import Doc
    from spacy.training import Example

    tag_of = {word: tag for tag, listed in words.items() for word in listed}
    rng, nlp = np.random.default_rng(0), spacy.blank("en")
    encoder = {"@architectures": "spacy.HashEmbedCNN.v2", "width": 32, "depth": 1, "embed_size": 500}
    encoder |= {"window_size": 1, "maxout_pieces": 2, "subword_features": True, "pretrained_vectors": None}
    nlp.add_pipe("morphologizer", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": encoder}})
    examples = []
    for _ in range(sentences):
        said = rng.choice(list(tag_of), size=8).tolist()
        known = Doc(nlp.vocab, words=said, pos=[tag_of[word] for word in said])
        examples.append(Example(Doc(nlp.vocab, words=said), known))
    optimizer = nlp.initialize(lambda: examples)
    for start in range(0, 10 * sentences, 25):
        nlp.update(examples[start % sentences :][:25], sgd=optimizer)
    nlp.to_disk(folder)
    return folder


def say(frame: str, words: dict[str, list[str]], rng: np.random.Generator) -> str:
    """A sentence with these tags, of random words; marks stand for themselves."""
    return " ".join(str(rng.choice(words[tag])) if tag in words else tag for tag in frame.split())
