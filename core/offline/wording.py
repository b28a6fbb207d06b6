"""Plain English for a signal, built from the sentence it rests on and the facts in it."""

import re
from collections.abc import Iterable
from datetime import datetime

from core.offline.facts import Facts, words_of
from core.offline.lexicon import word_set

MAX_WORDS = 30

_LEAD_IN = re.compile(
    r"^(?:(?:However|Most notably|For the uninitiated|Meanwhile|Notably|Interestingly|Moreover|Furthermore|Additionally|In addition|Also|"
    r"Still|Yet|But|And|So|Indeed|In fact|Overall|Similarly|Consequently|Therefore|"
    r"Specifically|Ultimately|Finally|For instance|For example|For context|That said|On the other hand|In "
    r"contrast|At the time of (?:writing|publication)|At press time|"
    r"In a [a-z ]{3,40}(?:post|statement|release|report|note|interview)[^,]{0,60}|"
    r"To recall|Of course|In other words|As a result|TL;?DR:?|BREAKING:?|JUST IN:?),?\s+)+"
)
_ATTRIBUTION = re.compile(r"^(?:(?:According to|As reported by|As per) [^,]{3,80},\s+)+")
_ALLEGED = re.compile(
    r"\b(?:alleg\w+|accus\w+|complaint|indict\w+|lawsuits?|prosecut\w+|plaintiffs?|affidavit|charged (?:with|against)|fraud\w*|launder\w*|"
    r"stole|stolen|schem(?:e|es|ing)|scam\w*|theft|embezzl\w+|manipulat\w+|insider trading|brib\w+|misl(?:ed|ead\w*))\b",
    re.IGNORECASE,
)
"""What is said of somebody who may deny it: whose word it is belongs to it."""
_TAIL = re.compile(
    r"(?:,?\s(?:according to|as per|as reported by|per a|citing)\s[^,.;]{3,90}|"
    r",\s(?:[A-Z][\w.’'-]+\s){0,5}(?:he|she|they|it|the \w+|analysts?|[A-Z][\w’'-]+)\s"
    r"(?:said|says|added|noted|wrote|explained|told|stated|tweeted|argued|warned|claimed)(?:\s[^.;]{0,80})?)[.\s”\"]*$"
)
_BY = re.compile(
    r"(?:,?\s(?:according to|as per|as reported by|citing)\s(?P<source>[^,.;]{3,90})|"
    r",\s(?P<speaker>(?:the |[A-Z][\w.’'-]+\s){0,5}[A-Za-z][\w’'-]+)\s"
    r"(?:said|says|added|noted|wrote|explained|told|stated|argued|claimed|alleged)|"
    r",\s(?:said|says|added|noted|observed|wrote|explained|stated|argued|claimed|alleged)\s(?P<named>[^,.;]{3,60}))[.\s”\"]*$"
)
_SAID_THAT = re.compile(
    r"^(?:[A-Z][\w.’'-]+\s){1,4}(?:also |further |then )?(?:said|says|noted|added|stated|explained|argued|pointed out) (?:that )?(?=[a-z])"
)
_PARENTHESES = re.compile(r"\s?[(\[][^()\[\]]{0,120}[)\]]")
_PRONOUN = re.compile(
    r"^(?:It|He|She|The (?:company|firm|exchange|miner|agency|bank|fund|platform|group|protocol|regulator|"
    r"organization|startup|project|watchdog|team)(?! (?:behind|of|that|which|led|in)\b))(?='s|’s|\s)"
)
_WE = re.compile(r"^We (\w+)")
_SINGULAR = {"have": "has", "are": "is", "were": "was", "do": "does"}
_FIRST_PERSON = re.compile(r"\b(?:we|our|us|I|my|me|I[’']m|we[’']re|we[’']ve|you|your)\b")
_CUT = re.compile(
    r"(?:,? (?:which|while|whereas|although|as well as|so that|because|since|after|before|adding|noting|"
    r"citing|highlighting|underscoring|signaling|marking|reflecting|making|allowing)\b|: |; | – | — |, "
    r"(?:and|but|with|as|in|where|who)\b|,(?!\d))"
)
_WEAK_CUT = re.compile(r" (?:to|by|with|from|for|as|and|at|after|through|on|in|that|amid|over|into|of)$")
_DANGLING = re.compile(
    r",?(?: (?:a|an|the|its|their|his|her|is|are|was|were|be|has|have|had|will|would|this|these|other|more|about|since|due|than|or|not|"
    r"next|last|"
    r"indicating|suggesting|showing|meaning|saying|which|who|where|also|both|some|such|very|[A-Z]?[\w.-]+(?:['’]s|s['’])))$"
)
_OPENS_A_CLAUSE = re.compile(
    r"(?:Despite|In spite of|Although|Though|Even (?:as|if|though)|While|Whereas|As|If|When|Once|Since|Amid|After|Before|Until|With|"
    r"Without|Now that|Within|During|Because|Given|Following|Unless|Unlike|Apart from|Beyond|In|On|At|By|From|Under|Over|Through|For|To)\b"
)
"""With these begins what comes before the main clause."""
_HANGING = re.compile(
    r",? \b(?:that|which|who|where|but|and),? (?:while|although|though|despite|if|when|because|since|as|after|before|amid|unlike)\b"
    r"(?:[^,]|,(?=\d))*$"
)
"""A clause within a clause whose own verb was cut off."""
_INSERTED = re.compile(
    r"(?:[^,]|,(?=\d))*,(?= (?:despite|which|who|where|while|although|including|such as|like|along with|known as|an?|the|one of)\b"
    r"(?:[^,]|,(?=\d))*$)"
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|will|would|could|can|may|might|must|should|do|does|did|says?|said|rose|fell|hit|saw|sold|bought|made|"
    r"took|went|came|led|lost|won|got|grew|held|kept|set|put|began|became|gave|left|[a-z]{2,}ed)\b"
)
_PREPOSITION = re.compile(
    r"(?<! all)(?<! some)(?<! many)(?<! most)(?<! one)(?<! more)(?<! able)(?<! likely)(?<! set)(?<! going)(?<! based)(?<! part)"
    r"(?<! begin)(?<! begins)(?<! began)(?<! beginning)(?<! preparing)(?<! prepares)(?<! heading)(?<! expected)(?<! wants)(?<! continues)"
    r"(?<! rooted)(?<! out)(?<! trying)(?<! seeking)(?<! aims)(?<! agreed)(?<! need)(?<! needs)"
    r" (?:to|by|with|from|for|at|after|through|on|in|amid|over|into|of|about|via|against|between|under|within|towards?) "
)
"""Before these a sentence can end, but for a word that asks for what follows."""
_COMMA = re.compile(r",(?!\d)")
_INTRODUCES = re.compile(
    r"\b(?:following|key|breakdown|TLDR|happened|observations|points?|notes?|reasons?|takeaways?|spike|update|highlights?)\b", re.IGNORECASE
)
_STOP = word_set("""
        a an the and or but of to in on at by for from with as is are was were be been being has have had it its this that these
        those which who whom whose will would could may might can should also than then there their they he she his her him we our
        us you your i my not no so if into over under about after before during while between through out up down more most some
        such other only just very said says according noted added told reported recently currently now new still already however
        meanwhile per via amid among both each all any one two what when where how why because despite even
    """)


def is_first_person(text: str) -> bool:
    return _FIRST_PERSON.search(text) is not None


def opens_with_pronoun(text: str) -> bool:
    return _PRONOUN.match(_LEAD_IN.sub("", text)) is not None


def is_person_pronoun(text: str) -> bool:
    return _LEAD_IN.sub("", text).startswith(("He ", "She "))


def clause(text: str, subject: str = "", keep: str = "") -> str:
    """The sentence's core in about 30 words, without lead-in, attribution or brackets.

    A pronoun at its head is replaced by ``subject``. The first word of ``keep`` is not cut off, if 44 words can hold it.
    """
    core = " ".join(_PARENTHESES.sub("", text).split())
    core = _LEAD_IN.sub("", re.sub(r"[“”\"]", "", core))
    source = ""
    if _ALLEGED.search(core):
        core, source = _from_source(core)
    else:
        core = _LEAD_IN.sub("", _ATTRIBUTION.sub("", core))
        core = _SAID_THAT.sub("", _TAIL.sub("", core))
    core = core.strip(" .,;:–—…!'‘’")
    core = re.sub(r"\s+([,.;:])", r"\1", core).replace(",,", ",")
    head, colon, rest = core.partition(": ")
    if colon and _INTRODUCES.search(head) and len(rest.split()) >= 7 and len(head.split()) <= 12:
        core = rest[:1].upper() + rest[1:]
    if subject:
        core = _PRONOUN.sub(lambda _: subject, core, count=1)
        core = _WE.sub(lambda match: f"{subject} {_SINGULAR.get(match.group(1), match.group(1))}", core, count=1)
    core = core.removeprefix("That ").removeprefix("that ")
    whole, core = core, shorten(core, MAX_WORDS)
    if keep and keep.split(maxsplit=1)[0].lower() not in core.lower():
        core = shorten(whole, 44)
    core = core[:1].upper() + core[1:] if not re.match(r"[a-z][A-Z]", core) else core
    return f"According to {source}: {core}" if source else core


def said_until(text: str) -> int:
    """Where what says at a sentence's end whose word it is begins; the sentence's length if nothing does."""
    match = _BY.search(text)
    return match.start() if match else len(text)


def _from_source(text: str) -> tuple[str, str]:
    """A sentence without what says at its end whose word it is, and whose that is; elsewhere, or of a pronoun, it stays where it is."""
    match = _BY.search(text)
    source = (match["source"] or match["speaker"] or match["named"]) if match else ""
    if match is None or not source or source.lower() in ("he", "she", "they", "it", "who", "which"):
        return text, ""
    return text[: match.start()], source


def shorten(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` words, cut where a clause ends if there is such a place in its second half.

    What is left has a main clause: one that stands behind an opening or an inserted clause may take up to half as many words again.
    """
    head = _cut(text, limit)
    inserted, (_, reported, what) = _INSERTED.match(head), head.rpartition(" that ")
    verbless = (inserted and not _VERB.search(inserted.group())) or (reported and not _VERB.search(what))
    return _cut(text, limit + limit // 2) if verbless and head != text else head


def _cut(text: str, limit: int) -> str:
    words = text.split()
    if len(words) <= limit:
        return text
    floor = len(" ".join(words[: limit // 2 - 2]))
    opening = _COMMA.search(text) if _OPENS_A_CLAUSE.match(text) else None
    if opening:
        main = " ".join(text[opening.end() :].split()[:5])
        floor = max(floor, opening.end() + len(main))
        if floor >= len(" ".join(words[:limit])) - 12:
            limit += limit // 2
            if len(words) <= limit:
                return text
    head = " ".join(words[:limit])
    places = [match.start() for match in _CUT.finditer(head) if match.start() > floor]
    if not places:
        places = [match.start() for match in _PREPOSITION.finditer(f"{head} ") if match.start() > floor]
    head = head[: places[-1]] if places else " ".join(words[: limit - 2])
    while hanging := _HANGING.search(head):
        head = head[: hanging.start()]
    return _without_loose_end(head)


def _without_loose_end(text: str) -> str:
    while (_WEAK_CUT.search(text) or _DANGLING.search(text)) and " " in text:
        text = text.rsplit(" ", 1)[0].rstrip(" ,;:–—")
    return text.rstrip(" ,;:–—")


def short_phrase(text: str, limit: int = 12) -> str:
    """A pattern's own words, fit to stand inside a sentence."""
    phrase = shorten(" ".join(text.split()).strip(" ,.;:“”\"'"), limit)
    return _without_loose_end(phrase)


def join(clause_text: str, reason: str) -> str:
    reason = reason[:1].upper() + reason[1:]
    return f"{clause_text}. {reason}"


def month(published_at: datetime | None) -> str:
    return published_at.strftime("%B %Y") if published_at else ""


def content_words(text: str) -> list[str]:
    """Words that carry meaning, in order, without repetition."""
    seen: set[str] = set()
    kept = []
    for word in re.findall(r"[$€£]?[\w][\w.,’'/%&-]*[\w%]|\w", text):
        key = word.lower().rstrip(".,")
        if key not in _STOP and key not in seen and not key.endswith(("’s", "'s")):
            seen.add(key)
            kept.append(word.rstrip(".,"))
    return kept


def research_query(who: str, clause_text: str, facts: Facts, when: str) -> str:
    """A search that stands alone: the names, the figures, what happened, and the month."""
    names = [who] if who else []
    names += [actor.name for actor in facts.actors if actor.name not in names][:2]
    figures = [amount.text for amount in facts.amounts[:2]]
    taken = {word.lower() for part in [*names, *figures] for word in part.split()}
    rest = [word for word in content_words(clause_text) if word.lower() not in taken and not re.fullmatch(r"[\d.,$%]+", word)][:9]
    query = " ".join([*names, *rest, *figures, when]).strip()
    while len(query) > 380 and rest:
        rest.pop()
        query = " ".join([*names, *rest, *figures, when]).strip()
    query = query[:390].strip()
    return query if len(query) >= 3 else f"Bitcoin {query}".strip()


def overlap(left: Iterable[str], right: Iterable[str]) -> float:
    """Jaccard overlap of two sets of words."""
    a, b = set(left), set(right)
    return len(a & b) / len(a | b) if a and b else 0.0


def content_set(text: str) -> set[str]:
    return {word for word in words_of(text) if word not in _STOP and len(word) > 2}
