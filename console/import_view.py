"""Importing on screen: a dialog that takes files, a feed's address or the last day's news, and how the import goes."""

import io
from collections.abc import Callable
from enum import StrEnum
from functools import partial

import streamlit as st

from console import state
from console.components import attempt, way
from console.import_jobs import FETCH_HOURS, ImportJob, ImportJobs
from console.permits import permit
from console.resources import imports, open_desk, settings
from console.words import duration, plain
from core.access import Actor, Permission
from core.clock import utc_now
from core.importers.import_articles import ImportReport, write_rejected
from core.samples import load_samples

ENDINGS = ["json", "jsonl", "csv", "xml", "rss", "atom", "gz"]
REFRESH_SECONDS = 1.0
REASONS_SHOWN = 5


class Source(StrEnum):
    FILES = "Files"
    FEED = "A feed's address"
    COINDESK = "CoinDesk"


def no_articles() -> None:
    """The empty desk: how articles get here."""
    with st.container(border=True, key="no-articles"):
        st.markdown(
            "**There are no articles yet.** Import your own (CoinDesk JSON, CSV, JSON lines, RSS, Atom, a feed's address), or begin with"
            " the invented ones that come with the desk."
        )
        row = st.container(horizontal=True)
        use = permit(Permission.ARTICLES)
        with row:
            import_button(primary=True)
        wanted = row.button("Load the sample articles", icon=":material/download:", key="load-samples", **use)
        st.caption("From the command line: `signaldesk import FILE`, or `signaldesk fetch` for CoinDesk's news.")
    if wanted:
        with st.spinner("Loading the sample articles…"):
            loaded = attempt(lambda: load_samples(open_desk(), utc_now(), by=state.actor()))
        if loaded:
            st.rerun()


def import_button(*, primary: bool = False) -> None:
    """A button that opens the dialog."""
    use = permit(Permission.ARTICLES)
    if st.button("Import", icon=":material/upload:", key=f"import-{primary}", type="primary" if primary else "secondary", **use):
        _dialog()


@st.dialog("Import articles", icon=":material/upload:")
def _dialog() -> None:
    jobs = imports()
    source = st.segmented_control(
        "From", list(Source), default=Source.FILES, required=True, key="import-from", label_visibility="collapsed"
    )
    if source is Source.FILES:
        _from_files(jobs)
    elif source is Source.FEED:
        _from_feed(jobs)
    else:
        _from_coindesk(jobs)
    st.caption("It goes on in the background. What is there already is recognised, and updated only if it changed.")


def _from_files(jobs: ImportJobs) -> None:
    files = st.file_uploader(
        "CoinDesk JSON, JSON lines, CSV, RSS or Atom, each also as .gz", type=ENDINGS, accept_multiple_files=True, key="import-files"
    )
    _start("Import", bool(files), lambda: jobs.of_files(list(files), by=state.actor()))


def _from_feed(jobs: ImportJobs) -> None:
    address = st.text_input("Address of a feed (RSS, Atom, JSON)", placeholder="https://example.org/feed.xml", key="import-address").strip()
    fits = address.startswith(("http://", "https://"))
    if address and not fits:
        st.caption(":material/info: An address begins with http:// or https://.")
    _start("Import", fits, lambda: jobs.of_feed(address, by=state.actor()))


def _from_coindesk(jobs: ImportJobs) -> None:
    has_key = settings().coindesk_api_key is not None
    if not has_key:
        st.caption("Fetching from CoinDesk's Data API needs a key: set `COINDESK_API_KEY` and start again.")
    _start(f"Fetch the last {FETCH_HOURS} hours", has_key, lambda: jobs.of_coindesk(by=state.actor()))


def _start(label: str, possible: bool, start: Callable[[], ImportJob]) -> None:
    if st.button(label, type="primary", icon=":material/upload:", key="import-start", disabled=not possible) and attempt(start):
        st.rerun()


def import_strip() -> None:
    """The import that runs, live, or how the last one ended until that is dismissed. Nothing where there was none."""
    job = imports().newest
    if job is None:
        return

    @st.fragment(run_every=REFRESH_SECONDS if job.is_running else None)
    def show() -> None:
        by = state.actor()
        if state.dismissed_import() == job.started:
            return
        with st.container(border=True, key="import-strip"):
            if job.is_running:
                _running(job, by)
            else:
                _ended(job)

    show()


def _running(job: ImportJob, by: Actor) -> None:
    now = utc_now()
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(f":material/progress_activity: **Importing {plain(job.source)}**")
    elapsed, share = duration((now - job.started).total_seconds()), job.share
    left = f" · {duration(job.seconds_left(now))} left" if share is not None else ""
    row.caption(f"{job.rows:,} rows · {_counts(job.report)} · {elapsed}{left}")
    use = permit(Permission.ARTICLES, disabled=job.is_stopping)
    if row.button("Stopping…" if job.is_stopping else "Stop", key="import-stop", icon=":material/stop:", **use):
        by.require(Permission.ARTICLES)
        job.stop()
        st.rerun(scope="fragment")
    if share is not None:
        st.progress(share)


def _ended(job: ImportJob) -> None:
    took = duration(((job.ended or utc_now()) - job.started).total_seconds())
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(f"**{plain(job.source)}**: {_counts(job.report)} in {took}")
    if job.report.new or job.report.updated:
        with row:
            way("articles", "Show the articles", icon=":material/article:")
    if job.report.rejected:
        row.download_button(
            "Rejected rows",
            data=partial(_rejected_rows, job.report),
            file_name=f"rejected-{job.started:%Y%m%d-%H%M%S}.csv",
            mime="text/csv",
            icon=":material/download:",
            key="import-rejected",
            on_click="ignore",
        )
    row.button("Dismiss", key="import-dismiss", icon=":material/close:", on_click=partial(state.dismiss_import, job.started))
    if job.problem:
        st.warning(plain(job.problem), icon=":material/info:")
    reasons = list(job.report.reasons().items())
    for reason, number in reasons[:REASONS_SHOWN]:
        st.caption(f"{number:,} × {plain(reason)}")
    if len(reasons) > REASONS_SHOWN:
        st.caption(f"and {len(reasons) - REASONS_SHOWN} more reasons, in the file of rejected rows")


def _counts(report: ImportReport) -> str:
    counts = {"new": report.new, "updated": report.updated, "unchanged": report.unchanged, "rejected": len(report.rejected)}
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def _rejected_rows(report: ImportReport) -> bytes:
    file = io.StringIO(newline="")
    write_rejected(report.rejected, file)
    return file.getvalue().encode("utf-8-sig")  # with the mark by which spreadsheets know UTF-8
