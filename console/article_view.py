"""The Article page's pieces: what was made of one article, run by run, and the way on from it."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

import streamlit as st

from console import state
from console.article_preview import promise_in_words, published
from console.colours import RECORD_MARKS
from console.components import attempt, empty, facts, way
from console.navigation import to
from console.permits import permit
from console.resources import read, settings
from console.words import ago, duration, exact, money, percent, plain
from core import launching
from core.access import Permission
from core.article_history import ArticleRun, runs_of
from core.articles import ArticleText, set_active
from core.clock import utc_now
from core.errors import DeskError
from core.models import RecordStatus
from core.offline.analysis import promise_of
from core.selection import Selection
from core.signals import AnalysisRow, SignalDetail

SHOWN_RUNS = 5


def nothing_chosen(message: str) -> None:
    """The page without an article."""
    st.title("Article")
    empty(f"{message} An article opens from a list, from a signal or from a run.", "articles", "Find one among the articles")
    with st.container(horizontal=True):
        st.page_link(to("signals"), label="Signals and their articles", icon=":material/radar:")
        st.page_link(to("review"), label="What waits for review", icon=":material/fact_check:")


def head(article: ArticleText) -> None:
    """Title and facts."""
    st.title(plain(article.title))
    about = [plain(article.publisher), published(article), f"{len(article.body):,} characters", plain(article.authors or "")]
    kinds = [word for word, holds in (("sample article", article.is_sample), ("archived", not article.is_active)) if holds]
    st.caption(" · ".join(fact for fact in [*about, plain(", ".join(article.categories)), *kinds] if fact))
    st.caption(promise_in_words(promise_of(article.title, article.body)))
    with st.container(horizontal=True, vertical_alignment="center"):
        if article.url and article.url.startswith(("http://", "https://")) and not article.is_sample:
            st.link_button("Open at the publisher", article.url, icon=":material/open_in_new:", type="tertiary")
        if article.is_active:
            use = permit(Permission.ARTICLES, help="Take it out of work; this can be undone.")
            if st.button("Archive", icon=":material/archive:", type="tertiary", **use):
                _set_active(article.id, False)
        else:
            use = permit(Permission.ARTICLES, help="Take it into work again.")
            if st.button("Restore", icon=":material/unarchive:", type="tertiary", **use):
                _set_active(article.id, True)


def _set_active(article_id: int, active: bool) -> None:
    if not attempt(lambda: state.act(lambda session, by: set_active(session, [article_id], active, by=by))):
        return
    state.flash("Restored." if active else "Archived.", ":material/unarchive:" if active else ":material/archive:")
    st.rerun()


def analyze(article: ArticleText, runs: Sequence[ArticleRun]) -> None:
    """What analysing this article would cost, with the button; or why it would not run."""
    now, chosen = settings(), Selection.of_ids([article.id])
    if any(run.status in RecordStatus.open() for run in runs):
        st.caption(":material/hourglass_top: In a run now.")
        return
    try:
        planned = read(lambda session: launching.plan(session, chosen, now))
    except DeskError as error:
        st.caption(str(error))
        return
    if not planned.runnable:
        st.caption(f":material/info: Not ready for analysis: {planned.skipped[0][1]}.")
        return
    label = f"Analyze this article · {money(planned.estimate.usd)}"
    use = permit(Permission.RUN)
    if st.button(label, icon=":material/bolt:", type="primary", key="analyze-this", **use) and attempt(partial(_launch, chosen)):
        st.rerun()


def _launch(chosen: Selection) -> None:
    now = settings()
    batch_id = state.act(lambda session, by: launching.launch(session, chosen, now, by=by, now=utc_now()))
    state.flash(f"Run #{batch_id} is under way.", ":material/bolt:")
    state.keep_run(batch_id)


def runs_of_article(article_id: int) -> list[ArticleRun]:
    return read(partial(runs_of, article_id=article_id))


def runs_list(runs: Sequence[ArticleRun]) -> None:
    """The runs that the article was in, each with its cost there and the way to it."""
    if not runs:
        return
    with st.container(border=True):
        total = sum((run.usd for run in runs), Decimal(0))
        st.markdown(f"**In {len(runs)} {'run' if len(runs) == 1 else 'runs'}** · {money(total)} in all")
        for run in runs[:SHOWN_RUNS]:
            _run(run)
        if older := runs[SHOWN_RUNS:]:
            with st.expander(f"{len(older)} older"):
                for run in older:
                    _run(run)


def _run(run: ArticleRun) -> None:
    about = [RECORD_MARKS[run.status], money(run.usd), f"{run.calls} {'call' if run.calls == 1 else 'calls'}"]
    if run.started_at and run.finished_at:
        about.append(f"took {duration((run.finished_at - run.started_at).total_seconds())}")
    about += [plain(run.model), f"{ago(run.launched_at, utc_now())} ({exact(run.launched_at)})"]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.page_link(
            to("runs"),
            label=f"Run #{run.batch_id}",
            icon=":material/play_circle:",
            query_params={"batch": str(run.batch_id)},
            width="content",
        )
        st.caption(" · ".join(about) + (f"  \n{plain(run.reason)}" if run.reason else ""))


def analysis_card(analysis: AnalysisRow) -> None:
    """One analysis: scores, summary, background."""
    with st.container(border=True):
        scores = f"impact {percent(analysis.impact)} · strength {percent(analysis.signal_strength)}"
        st.markdown(f"**{analysis.sentiment.value.lower()}** · {scores} · uniqueness {percent(analysis.uniqueness)}")
        st.markdown(plain(analysis.summary))
        st.caption(plain(analysis.context))
        with st.container(horizontal=True, vertical_alignment="center"):
            lost = f"{analysis.ungrounded_signals} kept out for want of a quote" if analysis.ungrounded_signals else None
            facts(analysis.model, analysis.prompt_version, analysis.created_at, lost)
            query = {"batch": str(analysis.batch_id)}
            st.page_link(to("runs"), label=f"Run #{analysis.batch_id}", icon=":material/play_circle:", query_params=query)


def signal_moves(article_id: int, found: Sequence[SignalDetail], chosen: int | None) -> None:
    """How many signals there are, and the way from one to the next."""
    ids = [signal.id for signal in found]
    place = ids.index(chosen) if chosen in ids else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        counted = f"**{len(ids)} {'signal' if len(ids) == 1 else 'signals'}**"
        st.markdown(counted if place is None else f"**Signal {place + 1} of {len(ids)}**")
        for label, icon, other in (
            ("Previous", ":material/chevron_left:", (place or 0) - 1),
            ("Next", ":material/chevron_right:", 0 if place is None else place + 1),
        ):
            if 0 <= other < len(ids):
                way("article", label, icon=icon, query={"id": str(article_id), "signal": str(ids[other])})
