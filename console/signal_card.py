"""One signal as a card: what it is, the words it rests on, what research made of it, what analysts made of it."""

from functools import partial
from typing import Any

import streamlit as st

from console import state
from console.colours import BADGES
from console.components import attempt, badge, badge_text, facts, kind_label, way
from console.navigation import to
from console.permits import permit
from console.reader import Mark, evidence_anchor, highlighted, signal_anchor
from console.resources import read
from console.words import exact, percent, plain
from core import batch_actions, reviews, validations
from core.access import Permission
from core.agents.outputs import Stance, Timeframe
from core.articles import ArticleText
from core.evidence import Text
from core.figures import unsupported
from core.models import ARTICLE_ORIGIN, Decision, EvidenceMatch, ReviewAct
from core.reviews import Act, Correction
from core.signals import SignalDetail
from core.validations import SourceRow, ValidationRow
from core.verdicts import RULE

CONTEXT_CHARS = 220
HIDDEN = "Hidden until you decide: some signals are reviewed blind, to see how far verdicts and analysts agree by themselves."
DECISIONS: tuple[tuple[str, Decision, str, Any, str], ...] = (
    ("Accept", Decision.ACCEPTED, ":material/thumb_up:", "primary", "A"),
    ("Reject", Decision.REJECTED, ":material/thumb_down:", "secondary", "X"),
    ("Unsure", Decision.UNSURE, ":material/question_mark:", "secondary", "U"),
)


def signal_card(signal: SignalDetail, article: ArticleText, *, number: int | None = None) -> None:
    """The whole card, with its buttons. ``number`` is the signal's number in the text beside it, which the card then leads to."""
    with st.container(border=True):
        signal_head(signal, number)
        _decide(signal)
        signal_evidence(signal, article, linked=number is None)
        signal_validation(signal, article)
        signal_history(signal)


def signal_head(signal: SignalDetail, number: int | None = None) -> None:
    """What the signal is, as corrected where it was."""
    category, timeframe = signal.corrected_category or signal.category, signal.corrected_timeframe or signal.timeframe
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            (f"**{number}** · " if number else "")
            + f"**{kind_label(signal.kind)}** · {plain(category)} · {timeframe.value} · {percent(signal.confidence)}"
        )
        if signal.verdict and not signal.is_blind:
            badge(signal.verdict)
        if signal.decision:
            badge(signal.decision)
    st.markdown(plain(signal.corrected_description or signal.description))
    if found := _as_found(signal):
        st.caption(f":material/edit: Corrected. As found: {' · '.join(found)}")
    if flagged := unsupported(signal.description, [quote.quote for quote in signal.evidence]):
        st.warning(f"In no quote: {plain(', '.join(flagged))}. Check the numbers before you use them.", icon=":material/pin:")
    st.caption(f"Why it may matter: {plain(signal.implications)}")
    if number:
        place = f'id="{signal_anchor(signal.id)}" href="#{evidence_anchor(signal.id)}"'
        st.html(f'<small><a {place} style="color:inherit;scroll-margin-top:14rem">↑ {number} in the text</a></small>')


def signal_evidence(signal: SignalDetail, article: ArticleText, *, linked: bool = True) -> None:
    """The quotes, each with some of the text around it; ``linked`` where the article itself is not beside them."""
    near = sum(quote.match is EvidenceMatch.FUZZY for quote in signal.evidence)
    st.markdown(
        "**Evidence**" + (f" :gray[· {near} of {len(signal.evidence)} quoted with slips, shown as the article has it]" if near else "")
    )
    for body, marks in evidence_in_context(article, signal):
        st.html(highlighted(body, marks, chosen=signal.id))
    if linked:
        query = {"id": str(article.id), "signal": str(signal.id)}
        st.page_link(to("article"), label=plain(article.title), icon=":material/menu_book:", query_params=query)
    sample = "an invented sample article" if article.is_sample else None
    facts(article.publisher, article.published_at, signal.model, signal.prompt_version, sample)


def signal_validation(signal: SignalDetail, article: ArticleText) -> None:
    """What research made of it, and how the verdict follows."""
    st.markdown("**Validation**")
    if signal.is_blind:
        st.caption(f":material/visibility_off: {HIDDEN}")
        return
    found = read(lambda session: validations.validations_of(session, signal.id))
    if not found:
        st.caption("Not researched: its confidence is below the setting, its article is still in work, or it was imported so.")
        return
    newest = found[0]
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(newest.verdict)
        st.markdown(f"**{origins_in_words(newest)}**")
        st.caption(f"confidence {newest.confidence_adjustment:+.2f} · {newest.model} · {newest.research_provider}")
    if newest.model_verdict not in (None, newest.verdict):
        said = BADGES[newest.model_verdict][0]
        st.caption(
            f":material/contrast: The model itself says **{said}**; the desk's rule makes {BADGES[newest.verdict][0]} of its sources."
        )
    st.markdown(plain(newest.reason))
    use = permit(Permission.RUN)
    if newest.failed and st.button("Research again", icon=":material/travel_explore:", key=f"research-{signal.id}", **use):
        again = attempt(
            lambda: state.act(lambda session, by: batch_actions.retry_research(session, signal.batch_id, signal.article_id, by=by))
        )
        if again:
            st.rerun()
    for place, source in enumerate(newest.sources):
        _source(source, article, f"{signal.id}-{place}")
    with st.expander(f"How the verdict follows · {len(newest.searches)} {'search' if len(newest.searches) == 1 else 'searches'}"):
        st.caption(plain(RULE))
        for search in newest.searches:
            st.caption(f"{search['provider']}: {plain(search['query'])} · {search['results']} results")
        if newest.dropped_sources:
            st.caption(f"{newest.dropped_sources} sources were dropped: their address or quote did not come back from a search.")


def origins_in_words(validation: ValidationRow) -> str:
    """Such as "5 pages, 2 origins"."""
    pages, origins = len(validation.sources), validation.origins
    if not pages:
        return "nothing found"
    counted = f"{pages} {'page' if pages == 1 else 'pages'}"
    if all(source.origin is None for source in validation.sources):  # researched before origins were told apart
        return counted
    return f"{counted}, {origins} {'origin' if origins == 1 else 'origins'}"


def _source(source: SourceRow, article: ArticleText, key: str) -> None:
    with st.container(border=True):
        st.markdown(f"{badge_text(source.stance)} · **{plain(source.title)}**")
        timing = _timing(source, article) if source.published_at else None
        facts(source.publisher, source.published_at, timing, f"authority {source.authority.value.lower()}", _origin(source))
        st.markdown(f"> {plain(source.quote)}")
        if source.article_id is not None:
            way("article", "In the archive", icon=":material/inventory_2:", query={"id": str(source.article_id)}, key=key)
        else:
            st.link_button("Open the page", source.url, icon=":material/open_in_new:", type="tertiary")


def _origin(source: SourceRow) -> str | None:
    if source.is_own:
        return "the article's own publisher: does not count"
    if source.origin == ARTICLE_ORIGIN:
        return "copies the article: does not count"
    return f"origin {source.origin}" if source.origin else None


def _timing(source: SourceRow, article: ArticleText) -> str:
    """Whether the source came before the article (known already) or after it."""
    if source.published_at is None or source.published_at == article.published_at:
        return "at the time of the article"
    if source.published_at < article.published_at:
        return "before the article" + (": known already" if source.stance is Stance.SUPPORTS else "")
    return "after the article" + (": confirmed later" if source.stance is Stance.SUPPORTS else "")


def evidence_in_context(article: ArticleText, signal: SignalDetail) -> list[tuple[str, list[Mark]]]:
    """Each quote with some of the text around it; a quote of an older version of the text stands alone."""
    excerpts = []
    for mark in marks_in(article, [signal]):
        start = max(mark.start - CONTEXT_CHARS, 0)
        end = min(mark.end + CONTEXT_CHARS, len(article.body))
        if start and (space := article.body.find(" ", start, mark.start)) >= 0:  # no word is cut
            start = space + 1
        if end < len(article.body) and (space := article.body.rfind(" ", mark.end, end)) >= 0:
            end = space
        before, after = ("… " if start else ""), (" …" if end < len(article.body) else "")
        shift = len(before) - start
        excerpts.append(
            (f"{before}{article.body[start:end]}{after}", [Mark(mark.start + shift, mark.end + shift, mark.kind, mark.signal_id)])
        )
    return excerpts or [(quote.quote, [Mark(0, len(quote.quote), signal.kind, signal.id)]) for quote in signal.evidence]


def marks_in(article: ArticleText, found: list[SignalDetail]) -> list[Mark]:
    """Where the evidence of signals stands in the article's text as it is now."""
    marks: list[Mark] = []
    text = Text(article.body)
    for signal in found:
        for quote in signal.evidence:
            if article.body[quote.start : quote.end] == quote.quote:
                marks.append(Mark(quote.start, quote.end, signal.kind, signal.id))
            elif span := text.find(quote.quote):
                marks.append(Mark(span.start, span.end, signal.kind, signal.id))
    return marks


# --- review ----------------------------------------------------------------------------------------------------------


def _decide(signal: SignalDetail) -> None:
    field = f"note-{signal.id}"
    state.bring_back(field)
    note = st.text_input(
        "Note",
        key=field,
        placeholder="Note (optional)",
        label_visibility="collapsed",
        max_chars=1_000,
        on_change=state.keep_aside,
        args=(field,),
    )
    row = st.container(horizontal=True)
    for label, decision, icon, look, _ in DECISIONS:
        use = permit(Permission.REVIEW, disabled=signal.decision is decision)
        clicked = row.button(label, icon=icon, type=look, key=f"{decision.value}-{signal.id}", **use)
        if clicked and attempt(partial(decide, signal.id, decision, note, share=state.blind_share())):
            state.use_up(field)
            st.rerun()
    with row:
        correction_form(signal)
    use = permit(Permission.REVIEW, help="Take the newest act on this signal back")
    undo = row.button("Undo", icon=":material/undo:", key=f"undo-{signal.id}", **use)
    if undo and attempt(lambda: state.act(lambda session, by: reviews.undo(session, signal.id, by=by))):
        st.rerun()


def decide(signal_id: int, decision: Decision, note: str | None, *, share: float) -> int:
    """Decide; returns the act's id. ``share`` as in ``reviews.decide``."""
    return state.act(lambda session, by: reviews.decide(session, signal_id, decision, by=by, note=note, blind_share=share))


def correction_form(signal: SignalDetail) -> None:
    """Put a better category, description or timeframe beside what was found."""
    with st.popover("Correct", icon=":material/edit:", **permit(Permission.REVIEW)), st.form(f"correct-{signal.id}", border=False):
        st.caption("What was found stays beside it, in the history and in exports.")
        category = st.text_input("Category", signal.corrected_category or signal.category, max_chars=100)
        description = st.text_area("Description", signal.corrected_description or signal.description, max_chars=2_000)
        times = list(Timeframe)
        timeframe = st.selectbox(
            "Timeframe", times, times.index(signal.corrected_timeframe or signal.timeframe), format_func=lambda one: one.value
        )
        if st.form_submit_button("Save the correction", type="primary", **permit(Permission.REVIEW)):
            correction = Correction(category, description, timeframe)
            if attempt(lambda: state.act(lambda session, by: reviews.correct(session, signal.id, correction, by=by))):
                st.rerun()


def signal_history(signal: SignalDetail) -> None:
    """The acts on the signal: who, when, what, and what stood before; the newest one in view."""
    acts = read(lambda session: reviews.acts_of(session, signal.id))
    if not acts:
        return
    *older, newest = told(acts)
    st.caption(newest)
    if older:
        with st.expander(f"History · {len(acts)} acts"):
            for line in reversed(older):
                st.caption(line)


def told(acts: list[Act]) -> list[str]:
    """One line an act, oldest first: who, when, what, what stood before, and the note."""
    return [_line(act, reviews.before(acts, position)) for position, act in enumerate(acts)]


def _line(act: Act, stood: reviews.Standing) -> str:
    what = BADGES[act.decision or act.act][0]
    was = BADGES[stood.decision][0] if stood.decision else "undecided"
    if act.act is ReviewAct.CORRECTION:
        what = f"{what} {_said(act.correction)}"
        was = _said(stood.correction)
    blind = ", blind" if act.blind else ""
    bulk = ", in bulk" if act.bulk else ""
    before = "" if act.act is ReviewAct.NOTE else f" (before: {was})"
    note = f": {plain(act.note)}" if act.note else ""
    return f"{what} by {plain(act.reviewer)}{blind}{bulk}, {exact(act.created_at)}{before}{note}"


def _said(correction: Correction) -> str:
    values = (correction.category, correction.description, correction.timeframe and correction.timeframe.value)
    return ", ".join(f"“{plain(value)}”" for value in values if value) or "as found"


def _as_found(signal: SignalDetail) -> list[str]:
    pairs = (
        (signal.corrected_category, signal.category),
        (signal.corrected_timeframe, signal.timeframe.value),
        (signal.corrected_description, signal.description),
    )
    return [plain(found) for corrected, found in pairs if corrected is not None]
