"""What one sentence states: amounts, dates, the names in it, the subjects it touches."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.offline.lexicon import AGENCIES, ASSETS, COMPANIES, MONTHS, NOT_NAMES, PLACES, SENTENCE_STARTERS, TOPIC_ORDER, TOPICS, word_set
from core.offline.sentences import Sentence

_NUMBER = r"\d{1,3}(?:,\d{3}){1,5}(?:\.\d{1,8})?|\d{1,15}(?:\.\d{1,8})?"
_SCALE = {"k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9, "t": 1e12, "trillion": 1e12}
_SCALE_WORD = r"(?:thousand|million|billion|trillion|mn|bn|[KkMBTb])(?![\w/])"
_COINS = r"BTC|Bitcoins?|bitcoins?|ETH|Ether|XRP|SOL|DOGE|sats?"
_COUNTED = (
    r"[EPT]H/s|exahash(?:es)?|[MGk]Wh?|megawatts?|gigawatts?|basis points|bps|percentage points|addresses|"
    r"wallets|users|customers|transactions|contracts|"
    r"miners|machines|rigs|ASICs|employees|jobs|nodes|companies|firms|countries|states|merchants|shares|"
    r"inscriptions|blocks|sat(?:s|oshis)?/vB|exchanges|banks|tokens"
)
_AMOUNT = re.compile(
    rf"(?P<money>(?:US|A|C|HK|S|NZ)?[$€£¥])\s?(?P<mvalue>{_NUMBER})(?:[\s-]?(?P<mscale>{_SCALE_WORD}))?"
    rf"|(?<![\w$.,])(?P<value>{_NUMBER})(?:"
    rf"\s?(?P<percent>%|per\s?cent\b)|(?:\s?(?P<scale>{_SCALE_WORD}))?\s(?P<coin>{_COINS})\b|"
    rf"(?:\s?(?P<cscale>{_SCALE_WORD}))?\s(?:[a-z]{{3,12}}\s)?(?P<unit>{_COUNTED})(?!\w))"
)
_MONTH = rf"(?:{'|'.join(MONTHS)}|Jan\.?|Feb\.?|Mar\.?|Apr\.?|Jun\.?|Jul\.?|Aug\.?|Sept?\.?|Oct\.?|Nov\.?|Dec\.?)"
_DATE = re.compile(
    rf"\b{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s(?:19|20)\d{{2}})?\b|\b\d{{1,2}}(?:st|nd|rd|"
    rf"th)?\s{_MONTH}(?:\s(?:19|20)\d{{2}})?\b|\b{_MONTH}(?:\sof)?\s(?:19|20)\d{{2}}\b"
    r"|\bQ[1-4](?:\s(?:19|20)\d{2})?\b|\b(?:early|mid|late)[-\s](?:19|20)\d{2}\b|\b(?:19|20)\d{2}\b(?![\d,.%])"
    r"|\b(?:today|yesterday|tomorrow|tonight|(?:last|this|next)\s(?:week|month|quarter|year)|(?:Mon|Tues|"
    r"Wednes|Thurs|Fri|Satur|Sun)day|earlier\sthis\s(?:week|month|year))\b"
)
_NAME = re.compile(
    r"(?<![\w@#$;])(?:[A-Z][\w.&’'-]{0,24}|[a-z][A-Z][a-z]{2,12})(?:\s(?:(?:of|de|van|von|"
    r"(?<=Securities\s)and)\s)?(?:[A-Z][\w.&’'-]{0,24}|[0-9]{1,3}(?=\s[A-Z])|8(?!\d))){0,5}"
)
_POSSESSIVE = re.compile(r"(?:['’]s|['’])$")
_PERSON_TITLE = re.compile(
    r"(?:CEO|CFO|COO|CTO|President|Chair(?:man|woman)?|Senator|Sen\.|Rep\.|Governor|Minister|Secretary|"
    r"Commissioner|analyst|founder|co-founder|trader|economist|strategist|lawyer|"
    r"director|researcher|developer|head of [a-z ]{3,30}|researcher|investor|author|Mr\.|Ms\.|Dr\.)\s*,?\s*$",
)
_SAID_AFTER = re.compile(
    r"^\s?,?\s?(?:said|says|told|wrote|noted|added|explained|argued|warned|claimed|stated|tweeted|posted|believes|thinks|predicted)\b"
)
_COMPANY_TAIL = word_set("""
        Inc Corp Corporation Ltd Limited LLC PLC Group Holdings Capital Labs Bank Technologies Platforms Digital Mining Ventures
        Partners Foundation Exchange Research Finance Financial Protocol Network Global Asset Management Trust Investments
        Securities Institute Association Commission Authority Agency Ministry Council Committee Court Fund Energy Payments Media
        Therapeutics
    """)
_TITLES = word_set(
    "Representative CEO CFO COO CTO President Chairman Chair Senator Governor Minister Secretary "
    "Commissioner Analyst Sen Rep Attorney Judge Mr Mrs Ms Dr Professor"
)
_LEADING = word_set("Former Billionaire Crypto Spot Popular Quicktake Even Wall Authorities Market Analysts Experts BREAKING") | frozenset(
    MONTHS
)
_DAYS = word_set("Monday Tuesday Wednesday Thursday Friday Saturday Sunday") | frozenset(MONTHS)
_HYPHENATED = re.compile(r"^[A-Z][\w.]*-[a-z]")
_TAIL_WORDS = word_set("Jr Sr Jr. Sr.")


@dataclass(frozen=True, slots=True)
class Amount:
    """A figure: as written, its value in plain units, and what is counted ("USD", "BTC", "%", "EH/s", "wallets")."""

    text: str
    value: float
    unit: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Actor:
    """A name: who or what acts. ``kind`` is company, agency, person, place or name."""

    name: str
    kind: str
    start: int


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one sentence; offsets are into that sentence."""

    amounts: tuple[Amount, ...]
    dates: tuple[str, ...]
    actors: tuple[Actor, ...]
    words: frozenset[str]
    topics: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(actor.name for actor in self.actors)


def amounts(text: str) -> tuple[Amount, ...]:
    """Every figure with a unit in ``text``."""
    found = []
    for match in _AMOUNT.finditer(text):
        group = match.groupdict()
        number = float((group["mvalue"] or group["value"]).replace(",", ""))
        scale = (group["mscale"] or group["scale"] or group["cscale"] or "").strip()
        number *= _SCALE.get(scale.lower(), 1)
        if group["money"]:
            unit = {"€": "EUR", "£": "GBP", "¥": "JPY"}.get(group["money"], "USD" if group["money"] in ("$", "US$") else group["money"])
        elif group["percent"]:
            unit = "%"
        elif group["coin"]:
            unit = _coin(group["coin"])
        else:
            unit = group["unit"].lower()
        found.append(Amount(match.group().strip(), number, unit, match.start(), match.end()))
    return tuple(found)


def _coin(word: str) -> str:
    if word.lower().startswith("bitcoin"):
        return "BTC"
    return "ETH" if word == "Ether" else word


def dates(text: str) -> tuple[str, ...]:
    """Dates and relative dates, as written."""
    return tuple(match.group() for match in _DATE.finditer(text))


def actors(text: str, known: frozenset[str] = frozenset()) -> tuple[Actor, ...]:
    """Names in ``text``. A single capitalised word at the start counts only if it is ``known`` from elsewhere or listed."""
    found: list[Actor] = []
    seen: set[str] = set()
    for match in _NAME.finditer(text):
        if text[match.end() : match.end() + 1] == ":" and not _listed(match.group()):
            continue  # a label, such as "Direct Exposure:"
        for name, at in _names_in(match.group()):
            start, end = match.start() + at, match.start() + at + len(name)
            lone_opener = " " not in name and start == 0 and name not in known
            if (
                name in seen
                or len(name) < 2
                or name.isdigit()
                or ((lone_opener or (name.isupper() and len(name) > 6)) and not _listed(name))
            ):
                continue
            seen.add(name)
            found.append(Actor(name, _kind(name, text[max(0, start - 48) : start], text[end : end + 24]), start))
    return tuple(found)


def _names_in(run: str) -> list[tuple[str, int]]:
    """The names inside a run of capitalised words: cut at titles and possessives, trimmed of words that are no part of a name."""
    parts: list[list[tuple[str, int]]] = [[]]
    at = 0
    for raw in run.split(" "):
        word = raw if raw in ("U.S.", "U.K.", "Jr.") else _POSSESSIVE.sub("", raw).rstrip(".,'’&-")
        if word in _TITLES or word in _DAYS:
            parts.append([])
        elif word.endswith("-based"):
            parts[-1] = []  # where somebody is from: "New York-based"
        elif word and not _HYPHENATED.search(word):
            parts[-1].append((word, at))
            if raw.endswith(("’s", "'s", ".”", "’", "'")) or (raw.endswith(".") and len(word) > 3):
                parts.append([])
        at += len(raw) + 1
    return [(" ".join(word for word, _ in part), part[0][1]) for part in map(_trim, parts) if part]


def _trim(words: list[tuple[str, int]]) -> list[tuple[str, int]]:
    while words and (words[0][0] in SENTENCE_STARTERS or words[0][0] in _LEADING or words[0][0].islower()) and not _listed_words(words):
        words = words[1:]
    while words and _is_no_name(words[-1][0]) and not _listed_words(words):
        if len(words) > 1 and words[-1][0] in _COMPANY_TAIL and not _is_no_name(words[-2][0]):
            break  # "Galaxy Digital"
        words = words[:-1]
    if len(words) > 1 and words[0][0] in ASSETS and _listed_words(words[1:]):
        words = words[1:]
    return words


def _is_no_name(word: str) -> bool:
    return word in ASSETS or word in NOT_NAMES or word.islower()


def _listed_words(words: list[tuple[str, int]]) -> bool:
    return _listed(" ".join(word for word, _ in words))


def _listed(name: str) -> bool:
    key = name.replace(" ", "_")
    return key in COMPANIES or key in AGENCIES or key in PLACES


def _kind(name: str, before: str, after: str) -> str:
    key = name.replace(" ", "_")
    words = name.split()
    if key in AGENCIES:
        return "agency"
    if key in PLACES:
        return "place"
    if key in COMPANIES or words[-1] in _COMPANY_TAIL or (len(words) > 1 and words[0] in COMPANIES):
        return "company"
    if 2 <= len(words) <= 3 and (_PERSON_TITLE.search(before[-48:]) or _SAID_AFTER.search(after) or words[-1] in _TAIL_WORDS):
        return "person"
    return "name"


def topics(words: Iterable[str]) -> tuple[str, ...]:
    """Subjects of a set of lower-case words, the best supported first."""
    counts: Counter[str] = Counter()
    for word in words:
        for topic in _topic_of(word):
            counts[topic] += 1
    return tuple(sorted(counts, key=lambda topic: (topic == "market", -counts[topic], _RANK[topic])))


_RANK = {topic: rank for rank, topic in enumerate(TOPIC_ORDER)}
_EXACT: dict[str, list[str]] = {}
_PREFIX: dict[str, list[tuple[str, str]]] = {}
for _topic, _words in TOPICS.items():
    for _word in _words:
        if _word.endswith("*"):
            _PREFIX.setdefault(_word[:3], []).append((_word[:-1], _topic))
        else:
            _EXACT.setdefault(_word, []).append(_topic)


def _topic_of(word: str) -> list[str]:
    found = list(_EXACT.get(word, ()))
    found.extend(topic for prefix, topic in _PREFIX.get(word[:3], ()) if word.startswith(prefix))
    return found


_WORDS = re.compile(r"[a-z0-9][a-z0-9/()’'_-]*[a-z0-9)]|[a-z0-9]")


def words_of(text: str) -> list[str]:
    """Lower-case words, hyphens kept."""
    return _WORDS.findall(text.lower())


def extract(text: str, known: frozenset[str] = frozenset()) -> Facts:
    """The facts of one sentence."""
    words = frozenset(words_of(text))
    return Facts(amounts(text), dates(text), actors(text, known), words, topics(words))


def read(title: str, sentences: Sequence[Sentence]) -> list[Facts]:
    """The facts of each sentence of an article, in order; names learnt from one sentence help to read the others."""
    learnt: Counter[str] = Counter()
    for text in [title, *(sentence.text for sentence in sentences if sentence.quotable)]:
        for match in _NAME.finditer(text, 1):
            word = _POSSESSIVE.sub("", match.group().split(" ")[0])
            if text[match.start() - 1] == " " and word not in NOT_NAMES:
                learnt[word] += 1
    known = frozenset(word for word, count in learnt.items() if count >= 1 and word not in ASSETS)
    empty = Facts((), (), (), frozenset(), ())
    return [extract(sentence.text, known) if sentence.quotable else empty for sentence in sentences]
