"""An article as the rules see it: sentences with their facts, the leading actor, the main subject, and who is meant by "it"."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.offline.facts import Actor, Facts, read
from core.offline.lexicon import PUBLISHERS
from core.offline.sentences import Sentence, split
from core.offline.wording import is_person_pronoun, opens_with_pronoun, said_until

CRYPTO = re.compile(
    r"\b(?:bitcoin|btc|crypto\w*|miners?|mining|blockchain|stablecoins?|token(?:s|ized)?|digital assets?|satoshi|etfs?)\b", re.IGNORECASE
)
_PROMOTION = re.compile(
    r"\b(?:presale|pre-sale|giveaway|airdrop|bonus|100x|50x|1000x|whitelist|early investors|sponsored|"
    r"promotional|cloud mining|sign[- ]up|passive income|price prediction)\b",
    re.IGNORECASE,
)
_RANKS = {"company": 0, "agency": 0, "person": 1, "name": 1, "place": 2}


@dataclass(frozen=True, slots=True)
class Article:
    """An article cut into sentences with their facts; what every later step reads. ``year`` is 0 when the date is not known.

    ``sentences`` are those that can be quoted: a heading, a table or a fragment speaks for nothing, not even by its place.
    """

    title: str
    sentences: list[Sentence]
    facts: list[Facts]
    lead_actor: str
    topic: str
    about_crypto: bool
    promotional: bool
    year: int
    publisher: str


def prepare(title: str, body: str, published_at: datetime | None = None, publisher: str = "") -> Article:
    """Sentences, facts, the leading actor and the main subject of an article."""
    sentences = [sentence for sentence in split(body, title) if sentence.quotable]
    prose = prose_of(sentences)
    facts = read(title, sentences)
    names: Counter[str] = Counter()
    subjects: Counter[str] = Counter()
    lowered_title = title.lower()
    for fact in facts:
        for actor in fact.actors:
            if not is_newsroom(actor.name, publisher):
                names[actor.name] += (1 if actor.kind == "place" else 2) + (3 if actor.name.lower() in lowered_title else 0)
        for place, topic in enumerate(fact.topics[:2]):
            subjects[topic] += 2 - place if topic != "market" else 1
    lead = names.most_common(1)[0][0] if names else ""
    topic = subjects.most_common(1)[0][0] if subjects else "market"
    crypto = len(CRYPTO.findall(prose[:20_000])) + 3 * len(CRYPTO.findall(title))
    promotional = len(_PROMOTION.findall(f"{title} {prose[:20_000]}")) >= 3
    year = published_at.year if published_at else 0
    return Article(title, sentences, facts, lead, topic, crypto >= 3, promotional, year, publisher)


def prose_of(sentences: Sequence[Sentence]) -> str:
    """The sentences that can be quoted, as one text."""
    return " ".join(sentence.text for sentence in sentences)


def is_newsroom(name: str, publisher: str) -> bool:
    """Whether a name is one that reports rather than acts."""
    return name.replace(" ", "_") in PUBLISHERS or (len(name) > 3 and name.lower() in publisher.lower())


def who(article: Article, index: int) -> str:
    """Whom the sentence is about: its first acting name, or that of the sentence before, or the headline's; empty if there is none."""
    text = article.sentences[index].text
    referring = opens_with_pronoun(text)
    kinds = ("person",) if is_person_pronoun(text) else ("company", "agency", "name")
    for back in range(1 if referring else 0, min(4 if referring else 2, index + 1)):
        said = said_until(article.sentences[index - back].text)
        names = [
            actor for actor in article.facts[index - back].actors if actor.start < said and not is_newsroom(actor.name, article.publisher)
        ]
        if back:
            names = [actor for actor in names if actor.kind in kinds]
        if names:
            return _full_name(article, min(names, key=_rank).name)
    return article.lead_actor if referring or article.lead_actor.lower() in article.title.lower() else ""


def is_person(article: Article, name: str) -> bool:
    return any(actor.name == name and actor.kind == "person" for fact in article.facts for actor in fact.actors)


def is_party(article: Article, name: str) -> bool:
    """Whether a name is an organisation's, as far as can be told."""
    return any(actor.name == name and actor.kind in ("company", "agency", "name") for fact in article.facts for actor in fact.actors)


def _rank(actor: Actor) -> tuple[int, int]:
    return _RANKS[actor.kind], actor.start


def _full_name(article: Article, name: str) -> str:
    """ "Les" as "Jason Les", if the article gives the whole name."""
    if " " in name or len(name) < 3:
        return name
    for fact in article.facts:
        for actor in fact.actors:
            if actor.kind == "person" and name in actor.name.split():
                return actor.name
    return name
