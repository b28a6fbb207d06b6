"""How an article, its signals and the search results are laid before a model, and read back by the offline rules.

Article and web text is hostile until checked: every word of it, headline and publisher too, stands between markers that it cannot
close, since any tag inside it (ours, a chat template's, a library's) is broken with a zero-width space.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

TEXT_AT_MOST = 60_000
"""Characters of a body that are sent; the rest is left out and said so."""

_BROKEN = "\u200b"
_A_TAG = rf"(?={_BROKEN}*[\s/|!?]*[a-z])"
_TAG = re.compile(rf"<{_A_TAG}", re.IGNORECASE)
_BROKEN_TAG = re.compile(rf"<{_BROKEN}{_A_TAG}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ArticleMaterial:
    """What a model is told of an article."""

    title: str
    publisher: str
    published_at: datetime
    body: str


@dataclass(frozen=True, slots=True)
class SignalMaterial:
    """What a model is told of a signal to be validated."""

    number: int
    description: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResultMaterial:
    """What a model is told of a search result."""

    url: str
    title: str
    publisher: str
    published_at: datetime | None
    text: str


def content_analysis_material(article: ArticleMaterial) -> str:
    """The user message of the content analysis agent."""
    body = article.body[:TEXT_AT_MOST]
    cut = (
        f"\n(The article goes on for {len(article.body) - TEXT_AT_MOST} more characters that are left out.)"
        if len(article.body) > TEXT_AT_MOST
        else ""
    )
    return f"{_about(article)}\n\n<article>\n{_guard(body)}\n</article>{cut}"


def read_content_analysis_material(message: str) -> ArticleMaterial:
    """The article that ``content_analysis_material`` laid out."""
    head, _, rest = message.partition("\n\n<article>\n")
    body, _, _ = rest.rpartition("\n</article>")
    return _read_about(head, _unguard(body))


def signal_validation_material(article: ArticleMaterial, signals: Sequence[SignalMaterial], results: Sequence[ResultMaterial]) -> str:
    """The user message of the signal validation agent."""
    parts = [_about(article), "The signals to validate:"]
    for signal in signals:
        quotes = "\n".join(f"Evidence: {_line(quote)}" for quote in signal.evidence)
        parts.append(f'<signal number="{signal.number}">\n{_guard(_line(signal.description))}\n{_guard(quotes)}\n</signal>')
    parts.append("The search results:" if results else "The searches found nothing.")
    for result in results:
        dated = _minute(result.published_at) if result.published_at else "unknown"
        head = f"Title: {_line(result.title)}\nPublisher: {_line(result.publisher)}\nPublished: {dated}"
        parts.append(f'<result url="{_attribute(result.url)}">\n{_guard(head)}\n\n{_guard(result.text)}\n</result>')
    return "\n\n".join(parts)


_SIGNAL = re.compile(r'<signal number="(\d+)">\n(.*?)\n</signal>', re.DOTALL)
_RESULT = re.compile(r'<result url="([^"\n]*)">\n(.*?)\n</result>', re.DOTALL)


def read_signal_validation_material(message: str) -> tuple[ArticleMaterial, list[SignalMaterial], list[ResultMaterial]]:
    """What ``signal_validation_material`` laid out; the article without its body."""
    signals = []
    for number, text in _SIGNAL.findall(message):
        description, *quotes = _unguard(text).split("\n")
        signals.append(SignalMaterial(int(number), description, tuple(quote.removeprefix("Evidence: ") for quote in quotes if quote)))
    results = []
    for url, text in _RESULT.findall(message):
        head, _, body = text.partition("\n\n")
        read = _read_head(head, _unguard(body), unknown_date=True)
        published = None if "\nPublished: unknown" in head else read.published_at
        results.append(ResultMaterial(url, read.title, read.publisher, published, read.body))
    return _read_about(message.partition("\n\n")[0], ""), signals, results


def _about(article: ArticleMaterial) -> str:
    head = f"Title: {_line(article.title)}\nPublisher: {_line(article.publisher)}\nPublished: {_minute(article.published_at)}"
    return f"<about>\n{_guard(head)}\n</about>"


def _read_about(about: str, body: str) -> ArticleMaterial:
    return _read_head(about.removeprefix("<about>\n").removesuffix("\n</about>"), body)


def _read_head(head: str, body: str, *, unknown_date: bool = False) -> ArticleMaterial:
    fields = dict(line.split(": ", 1) for line in _unguard(head).split("\n") if ": " in line)
    published = fields.get("Published", "unknown")
    moment = (
        datetime(1970, 1, 1, tzinfo=UTC)
        if unknown_date and published == "unknown"
        else datetime.strptime(published, "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC)
    )
    return ArticleMaterial(fields.get("Title", ""), fields.get("Publisher", ""), moment, body)


def _minute(moment: datetime) -> str:
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(' ', 'minutes')} UTC"  # unlike strftime, with a year of four digits always


def _guard(text: str) -> str:
    return _TAG.sub(f"<{_BROKEN}", text)


def _unguard(text: str) -> str:
    return _BROKEN_TAG.sub("<", text)


def _line(text: str) -> str:
    return " ".join(text.split())


def _attribute(url: str) -> str:
    return re.sub(r"[\s\"<>]", "", url)
