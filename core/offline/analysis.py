"""The whole offline analysis of one article, and a quick promise of how much there is in it."""

import re
from dataclasses import dataclass
from datetime import datetime

from core.agents.outputs import ContentAnalysis, FoundSignal, Sentiment
from core.offline.facts import Amount, amounts
from core.offline.lexicon import word_set
from core.offline.readable import readable, readable_line
from core.offline.reading import Article, prepare, prose_of
from core.offline.sentiment import score, sentiment_of
from core.offline.signals import signals_of
from core.offline.wording import content_set

_USUAL = word_set("""
        bitcoin btc crypto price market trading traders investors analyst analysts rally support resistance level bullish bearish
        high low token tokens digital asset assets year month week time new according data report said current potential growth
        momentum
    """)
_PROMISING = re.compile(
    r"\b(?:first[- ]ever|first time|record (?:high|low)|highest since|largest|quietly|dormant|filed|"
    r"filing|pilot|unclear|declined to comment|did not respond|undisclosed|sources familiar|despite|even "
    r"as|"
    r"unusual|unexpected|considering|in talks|lawsuit|subpoena|approved|acquired|hashrate|hash ?rate|"
    r"outflows?|inflows?|exploit|hacked|stolen|self-custody|OTC|testnet|soft fork|node|AI data cent(?:er|"
    r"re)s?|"
    r"power grid|treasury|reserve|miner|regulator|central bank|sanctions?|pension)\b",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    r"price prediction|price analysis|presale|best crypto|buy now|100x|1000x|giveaway|sponsored|technical "
    r"analysis|could explode|market watch|cloud mining|\[live\]|how to",
    re.IGNORECASE,
)
_QUICK_AMOUNT = re.compile(r"\$\d|\d%|\d BTC\b|\bmillion\b|\bbillion\b")
_CONTEXT = {
    "regulation": "Rules for crypto are being written in several jurisdictions at once, and decisions in one are quoted in the next.",
    "mining": "Miners live between the price of Bitcoin and the price of power, with their reward halved in April 2024.",
    "flows": "Spot funds, exchange balances and large holders are the usual places to see demand before the price shows it.",
    "security": "Thefts and fraud follow the price up, and each method tends to be reused until it is closed.",
    "macro": "Bitcoin trades with rates, the dollar and the appetite for risk more than it did in its first decade.",
    "technology": "Changes to Bitcoin's software need wide consent, so they are argued over long before they are used.",
    "adoption": "Companies, banks and states have moved from asking whether to hold Bitcoin to asking how much and through whom.",
    "derivatives": "Futures and options set the pace of short moves; positions are visible before they are forced to close.",
    "market": "The market reads Bitcoin's price against its recent range and against the behaviour of large holders.",
}


def analyse(title: str, body: str, published_at: datetime | None, publisher: str) -> ContentAnalysis:
    """Read an article by rules: its sentiment, a summary in its own sentences, its signals, and scores from 0 to 1.

    Never raises on text of any kind. ``published_at`` dates the research queries; ``publisher`` opens the background.
    Passages that give orders are not read at all.
    """
    title, body, publisher = readable_line(title), readable(body), readable_line(publisher)
    article = prepare(title, body, published_at, publisher)
    found = signals_of(article, published_at)
    body_score = score(prose_of(article.sentences))
    sentiment = sentiment_of(title, body_score)
    polar = body_score.positive + body_score.negative
    return ContentAnalysis(
        sentiment=sentiment,
        impact=_impact(article, found, abs(body_score.net)),
        summary=_summary(article, body),
        context=_context(article, publisher),
        signal_strength=_strength(found),
        uniqueness=_uniqueness(article, found),
        confidence=_confidence(article, found, polar, sentiment),
        signals=found,
    )


@dataclass(frozen=True, slots=True)
class Promise:
    """What the score of how promising an article is rests on. Counts are of its first 4,000 characters."""

    hints: tuple[str, ...]
    """Words that signals tend to stand beside, in lower case."""
    figures: int
    names: int
    long_enough: bool
    filler: tuple[str, ...]
    """Words of price talk and advertising; those of the title weigh twice."""
    penalty: int

    @property
    def score(self) -> float:
        """How much the article is likely to yield, 0 to 1."""
        value = 0.08 + 0.055 * min(len(self.hints), 10) + 0.008 * min(self.figures, 20) + 0.004 * min(self.names, 40)
        return round(max(0.0, min(1.0, value + 0.05 * self.long_enough - 0.08 * self.penalty)), 3)


def promise_of(title: str, body: str) -> Promise:
    """What an article promises; cheap enough to rank a whole archive."""
    text = body[:4_000]
    hints = dict.fromkeys(match.lower() for match in [*_PROMISING.findall(title), *_PROMISING.findall(text)])
    titled, within = _EMPTY.findall(title), _EMPTY.findall(text)
    return Promise(
        hints=tuple(hints),
        figures=len(_QUICK_AMOUNT.findall(text)),
        names=len(re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}", text)),
        long_enough=len(body) >= 2_000,
        filler=tuple(dict.fromkeys(match.lower() for match in [*titled, *within])),
        penalty=len(titled) * 2 + min(len(within), 4),
    )


def promise(title: str, body: str) -> float:
    """How much an article is likely to yield, 0 to 1."""
    return promise_of(title, body).score


def _summary(article: Article, body: str) -> str:
    """The two or three sentences that say most of what the title promises, in the order of the article."""
    quotable = [index for index, sentence in enumerate(article.sentences) if len(sentence.text) <= 420]
    if not quotable:
        plain = " ".join(f"{article.title}. {body}".split())[:300].strip(" .")
        return f"{plain}." if plain else "The article has no text."
    about = content_set(article.title)
    weights: dict[int, float] = {}
    for place, index in enumerate(quotable):
        fact = article.facts[index]
        weights[index] = (
            1.2 * len(about & fact.words) / (1 + len(about)) * 4
            + 0.3 * min(len(fact.amounts), 3)
            + 0.25 * min(len(fact.actors), 3)
            + (1.6 if place == 0 else 0.9 if place < 3 else 0.3 if place < 8 else 0.0)
            - (0.5 if article.sentences[index].text.startswith(("“", '"')) else 0.0)
        )
    chosen: list[int] = []
    for index in sorted(weights, key=lambda key: (-weights[key], key)):
        words = article.facts[index].words
        if all(len(words & article.facts[other].words) < 0.6 * len(words) for other in chosen):
            chosen.append(index)
        if len(chosen) == 3 or (len(chosen) == 2 and sum(len(article.sentences[other].text) for other in chosen) > 420):
            break
    return " ".join(" ".join(article.sentences[index].text.split()) for index in sorted(chosen))[:1_950]


def _context(article: Article, publisher: str) -> str:
    names: list[str] = []
    for fact in article.facts:
        names.extend(actor.name for actor in fact.actors if actor.kind in ("company", "agency", "person") and actor.name not in names)
    others = [name for name in names if name != article.lead_actor][:3]
    who = article.lead_actor
    cast = f"{who} stands at the centre of it" if who else "No single actor stands at the centre of it"
    cast += f", with {', '.join(others)} also named. " if others else ". "
    source = (
        f"{publisher.strip()[:80]}'s report is about {article.topic}. " if publisher.strip() else f"The report is about {article.topic}. "
    )
    return (source + cast + _CONTEXT[article.topic])[:1_950]


def _strength(found: list[FoundSignal]) -> float:
    """The strongest signal, raised a little by each further one; 0 when there is none."""
    if not found:
        return 0.0
    return round(min(0.95, max(signal.confidence for signal in found) + 0.03 * (len(found) - 1)), 2)


def _impact(article: Article, found: list[FoundSignal], tilt: float) -> float:
    largest = max((_dollars(amount) for fact in article.facts for amount in fact.amounts), default=0.0)
    size = 0.0 if largest < 1e6 else 0.08 if largest < 1e8 else 0.16 if largest < 1e9 else 0.22
    weight = {"regulation": 0.12, "macro": 0.12, "security": 0.10, "flows": 0.09, "mining": 0.06, "adoption": 0.06}.get(article.topic, 0.03)
    value = 0.12 + size + weight + 0.05 * min(len(found), 5) + 0.12 * tilt - 0.15 * article.promotional - 0.1 * (not article.about_crypto)
    return round(max(0.02, min(0.95, value)), 2)


def _dollars(amount: Amount) -> float:
    return amount.value if amount.unit == "USD" else amount.value * 1e5 if amount.unit == "BTC" and amount.value < 1e6 else 0.0


def _uniqueness(article: Article, found: list[FoundSignal]) -> float:
    """Share of the article's words outside the daily vocabulary of the trade, and the variety of its signals."""
    words = frozenset().union(*(fact.words for fact in article.facts)) if article.facts else frozenset()
    titled = content_set(article.title)
    fresh = len(titled - _USUAL) / len(titled) if titled else 0.0
    value = 0.1 + 0.3 * fresh + 0.08 * len({signal.kind for signal in found}) + min(len(words), 400) / 2_000 - 0.2 * article.promotional
    return round(max(0.02, min(0.95, value)), 2)


def _confidence(article: Article, found: list[FoundSignal], polar: float, sentiment: Sentiment) -> float:
    """How far the rules had something to go on: prose, figures and names; never above 0.8."""
    prose = len(article.sentences)
    figures = len(amounts(article.title)) + sum(len(fact.amounts) > 0 for fact in article.facts)
    value = 0.2 + 0.012 * min(prose, 20) + 0.012 * min(figures, 10) + 0.01 * min(polar, 10) + 0.02 * len(found)
    value -= 0.05 * (sentiment is Sentiment.MIXED) + 0.1 * article.promotional
    return round(max(0.05, min(0.8, value)), 2)
