"""Texts and entry lists of a language, composed from the words in `texts/`."""

import json
import re
from itertools import pairwise
from pathlib import Path
from random import Random

from tests.sample.canvas import PALETTE
from tests.sample.scenes import Scene

TEXTS = Path(__file__).parent / "texts"
HEAD_SHARE = 0.76
"""Texts made of frequent words alone; balancing thins these."""

_MARKS = " ,.;:?!،、。，：№()¡¿"


def _falling(count: int) -> list[float]:
    return [1 / (rank + 1.5) for rank in range(count)]


class Phrasebook:
    """The words and sentences of one language.

    `nouns` hold class, article and noun; a colour has one form a class, in the order of `classes`, or one form alone.
    """

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.words = json.loads((TEXTS / f"{lang}.json").read_text(encoding="utf-8"))
        self.joined = self.words.get("joined", False)
        self.classes = self.words.get("classes", "-").split()

    def _phrase(self, subject: str, colour: str) -> dict[str, str]:
        kind, article, noun = self.words["nouns"][subject].split(" ", 2)
        forms = self.words["colours"][colour]
        form = forms.split()[self.classes.index(kind)] if len(self.classes) > 1 else forms
        phrase = self.words["pattern"].format(article=article, colour=form, noun=noun)
        return {"subject": phrase, "article": article, "colour": form, "noun": noun}

    def text(self, scene: Scene, careless: bool, rng: Random) -> str:
        """What somebody who writes this language says of a scene; the careless hardly say what is to be seen."""
        kind = "careless" if careless else "head" if rng.random() < HEAD_SHARE else "rich"
        template = rng.choice(self.words[kind])
        text = template.format(
            **self._phrase(scene.subject, scene.colour),
            setting=self.words["settings"][scene.setting],
            extra=rng.choices(self.words["extras"], _falling(len(self.words["extras"])))[0],
            place=rng.choices(self.words["places"], _falling(len(self.words["places"])))[0],
            number=rng.randrange(1, 100),
        )
        if self.lang == "en":
            text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
        return text[0].upper() + text[1:] if rng.random() < 0.6 else text

    def logo(self, site: str) -> str:
        """The text of a site's logo."""
        return self.words["logo"].format(site=site)

    def _pieces(self, *keys: str) -> list[str]:
        """The words of sentences that stand between the gaps of the templates."""
        texts = [text for key in keys for text in self.words[key]]
        return [piece for text in texts for piece in re.split(r"\{\w+\}", text)]

    def _unigrams(self) -> list[str]:
        nouns = [noun.split(" ", 2)[2] for noun in self.words["nouns"].values()]
        if self.joined:
            colours = [colour.removesuffix("的") for colour in self.words["colours"].values()]
            return [*self.words["terms"], *nouns, *colours, *self.words["settings"].values()]
        articles = [noun.split(" ", 2)[1] for noun in self.words["nouns"].values()]
        forms = " ".join(self.words["colours"].values()).split()
        settings = " ".join(self.words["settings"].values()).split()
        frequent = [*articles, *" ".join(self._pieces("careless", "head")).split(), *settings, *nouns, *forms]
        # A third of the rare words: with all of them nearly every text would hold an entry of the tail.
        rare = " ".join([*self._pieces("rich"), *self.words["extras"]]).split()[::3]
        words = [word.strip(_MARKS) for word in [*frequent, *rare]]
        return [*(word for word in words if word.strip("-")), *(article.capitalize() for article in articles)]

    def _bigrams(self) -> list[str]:
        pairs = [(subject, colour) for subject in self.words["nouns"] for colour in PALETTE]
        phrases = [self._phrase(*pair) for pair in pairs[::5]]
        if self.joined:
            return [phrase["subject"] for phrase in phrases]
        found = []
        for piece in [*self.words["settings"].values(), *self.words["extras"][::2]]:
            found += [f"{a} {b}" for a, b in pairwise(piece.split())][::2]
        first, second = ("colour", "noun") if "{colour} {noun}" in self.words["pattern"] else ("noun", "colour")
        return [*found, *(f"{phrase[first]} {phrase[second]}" for phrase in phrases)]

    def entries(self) -> list[str]:
        """The ordered metadata: numbers, words, bigrams, titles; many match nothing, a few can match nothing ever."""
        places = self.words["places"]
        titles = [form.format(place=place) for form in self.words["titles"] for place in places]
        numbers = [str(number) for number in range(100)]
        parts = (
            numbers,
            self._unigrams(),
            self.words["unmatched"],
            self._bigrams(),
            places,
            titles,
            self.words["never"],
        )
        return list(dict.fromkeys(entry for part in parts for entry in part))
