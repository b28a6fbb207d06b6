"""Two runs side by side, and the way to a second one: the same articles with another model."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from console import state
from console.colours import KIND_NAMES
from console.components import attempt, badge, empty, show_error, way
from console.navigation import to
from console.permits import permit
from console.resources import read, settings
from console.runs_view import model_name
from console.words import ago, duration, money, percent, plain
from core import batches, comparisons, launching
from core.access import Permission
from core.batches import Progress
from core.calibration import Share
from core.clock import utc_now
from core.comparisons import Comparison, Found, Side
from core.errors import DeskError
from core.remedies import articles_of
from core.settings import DEFAULT_PAID_MODEL, OFFLINE_MODEL, Settings

SIGNALS_SHOWN = 200


def comparison_page(batch_id: int, against: int | None) -> None:
    """The choice of another run, and the two side by side once it is made.

    Raises:
        NotFound: there is no such run.
    """
    progress = read(lambda session: batches.progress(session, batch_id))
    row = st.container(horizontal=True, vertical_alignment="center")
    with row:
        way("runs", "All runs", icon=":material/list:")
        way("runs", f"Run #{batch_id}", icon=":material/chevron_left:", query={"batch": str(batch_id)}, key="back")
    st.header(f"Run #{batch_id} against {'another' if against is None else f'#{against}'}")
    _choice(batch_id, against)
    if against is None:
        _run_again(progress)
    elif against == batch_id:
        st.warning("These are one run. Choose another one.", icon=":material/info:")
    else:
        try:
            found = read(lambda session: comparisons.compare(session, batch_id, against))
        except DeskError as error:
            show_error(error)
            return
        _side_by_side(found)


def _choice(batch_id: int, against: int | None) -> None:
    """The runs that share articles with this one, those with most first."""
    common = dict(read(lambda session: comparisons.sharing(session, batch_id)))
    if not common and against is None:
        empty("No other run analysed an article of this one yet. Run the same articles again with another model to compare the two.")
        return
    others = {progress.id: progress for progress in read(lambda session: batches.some(session, [*common]))}
    names = {other: f"#{other} · {_number(number)} in common · {_made_of(others[other])}" for other, number in common.items()}
    if against is not None:
        names.setdefault(against, f"#{against}")
    picked = st.selectbox(
        "Against",
        list(names),
        format_func=lambda one: names[one],
        index=list(names).index(against) if against else None,
        placeholder="choose a run that has articles in common",
        key=f"against-{batch_id}-{against}",
        width=620,
    )
    if picked is not None and picked != against:
        st.query_params["against"] = str(picked)
        st.rerun()


def _number(number: int) -> str:
    return f"{number:,} article{'' if number == 1 else 's'}" if number < comparisons.LOOKED_AT else f"{number:,} articles or more"


def _made_of(progress: Progress) -> str:
    return f"{model_name(progress.model)} · {progress.research} · {ago(progress.created_at, utc_now())}"


def _run_again(progress: Progress) -> None:
    """The articles of a run, launched anew with the settings as they are, or with another model; first what it would cost."""
    st.header("Run the same articles again")
    now = settings()
    columns = st.columns([3, 5], vertical_alignment="bottom")
    model = columns[0].text_input(
        "Model",
        value=_another_model(progress, now),
        key=f"again-model-{progress.id}",
        max_chars=200,
        help="offline, or any pydantic-ai model.",
    )
    columns[1].caption(f"Run #{progress.id} had {plain(model_name(progress.model))}. All else is as the System page has it now.")
    wanted = now.model_copy(update={"model": model.strip() or now.model})
    try:
        chosen = read(lambda session: articles_of(session, progress.id))
        planned = read(lambda session: launching.plan(session, chosen, wanted))
    except DeskError as error:
        show_error(error)
        return
    figures = planned.estimate
    row = st.container(horizontal=True, vertical_alignment="center")
    if not planned.runnable:
        st.info(f"Nothing to run: {launching.reasons_in_words(planned.skipped)}. Compare with that run, or name another model.")
        return
    label = f"Run {figures.articles:,} again"
    launch = row.button(label, icon=":material/bolt:", key="run-again", type="primary", **permit(Permission.RUN))
    row.markdown(
        f"Likely **{money(figures.usd)}**, at most {money(figures.usd_at_most)} · about {duration(figures.seconds)} · "
        f"{figures.input_tokens:,} tokens in, {figures.output_tokens:,} out, {figures.searches:,} searches"
    )
    if planned.skipped:
        st.caption(f":material/skip_next: Skipped: {launching.reasons_in_words(planned.skipped)}.")
    if launch:
        key = f"again-{progress.id}-{wanted.resolved_model}-{state.launch_key()}"
        launched: list[int] = []
        if attempt(
            lambda: launched.append(
                state.act(lambda session, by: launching.launch(session, chosen, wanted, by=by, now=utc_now(), idempotency_key=key))
            )
        ):
            state.keep_run(launched[0])
            state.flash(f"Run {launched[0]} is launched.", ":material/bolt:")
            st.query_params.from_dict({"batch": str(launched[0])})
            st.rerun()


def _another_model(progress: Progress, now: Settings) -> str:
    """What to run the same articles with: the desk's model, or the other kind where the run had that."""
    if now.resolved_model != progress.model:
        return now.resolved_model
    return DEFAULT_PAID_MODEL if now.resolved_model == OFFLINE_MODEL else OFFLINE_MODEL


def _side_by_side(found: Comparison) -> None:
    if not found.articles:
        empty("The two have no article in common that both analysed to the end.", "runs", "All runs")
        return
    bounded = f"the first {found.articles:,} articles in common" if found.bounded else _number(found.articles)
    st.markdown(f"On **{bounded}**.")
    _figures(found)
    if found.differences:
        st.caption(
            "What differs: "
            + " · ".join(f"{name.replace('_', ' ')} {plain(str(one))} → {plain(str(other))}" for name, one, other in found.differences)
        )
    else:
        st.caption("Both have the same configuration: what differs is the model's own variation.")
    if found.changed_texts:
        st.caption(f"The text of {_number(found.changed_texts)} changed in between: signals of those are compared by description alone.")
    matching = found.matching
    lists: dict[str, Sequence[tuple[Found, Found] | Found]] = {
        "Gained": matching.gained,
        "Lost": matching.lost,
        "Other kind": matching.other_kind,
        "The same": matching.same,
    }
    chosen = st.segmented_control(
        "Signals",
        list(lists),
        format_func=lambda name: f"{name} {len(lists[name]):,}",
        default="Gained",
        key="compared",
        bind="query-params",
        label_visibility="collapsed",
    )
    _list(lists[chosen or "Gained"], chosen or "Gained", found)
    st.caption(comparisons.RULE)


def _figures(found: Comparison) -> None:
    columns = st.columns(4)
    for column, name, share in (
        (columns[0], "Signals in both", found.matching.agreement),
        (columns[1], "Same verdict", found.verdict),
        (columns[2], "Same sentiment", found.sentiment),
    ):
        column.metric(
            name, percent(share.value) if share.value is not None else "–", _interval(share), delta_color="off", delta_arrow="off"
        )
    dearer = found.after.usd - found.before.usd
    columns[3].metric(
        "Cost an article",
        money(found.after.usd),
        f"{'+' if dearer >= 0 else '−'}{money(abs(dearer))} against #{found.before.batch_id}",
        delta_color="off",
        delta_arrow="off",
    )
    rows = [_row(found.before), _row(found.after)]
    frame = pd.DataFrame({side["Run"]: {name: value for name, value in side.items() if name != "Run"} for side in rows})
    st.table(frame)
    links = st.container(horizontal=True, key="ways")
    with links:
        for side in (found.before, found.after):
            run = str(side.batch_id)
            way("runs", f"Run #{run}", icon=":material/play_circle:", query={"batch": run})
            st.page_link(to("signals"), label=f"Signals of #{run}", icon=":material/radar:", query_params={"run": run})


def _row(side: Side) -> dict[str, str]:
    return {
        "Run": f"#{side.batch_id}",
        "Model": model_name(str(side.configuration.get("model", ""))),
        "Signals": f"{side.signals:,}",
        "Accepted": f"{side.accepted:,} of {side.reviewed:,} decided" if side.reviewed else "none decided yet",
        "Cost an article": money(side.usd),
        "Time an article": duration(side.seconds) if side.seconds is not None else "–",
    }


def _interval(share: Share) -> str:
    if not share.whole:
        return "nothing to compare"
    low, high = share.interval
    return f"{share.part:,} of {share.whole:,} · 95%: {percent(low)} to {percent(high)}"


def _list(found: Sequence[tuple[Found, Found] | Found], name: str, comparison: Comparison) -> None:
    """One of the lists; a click on a line leads to its signal."""
    if not found:
        st.caption("None.")
        return
    pairs = [one if isinstance(one, tuple) else (one, one) for one in found[:SIGNALS_SHOWN]]
    paired = isinstance(found[0], tuple)
    frame = pd.DataFrame(
        {
            "article": [one.article_title for one, _ in pairs],
            "kind": [KIND_NAMES[one.kind] for one, _ in pairs],
            "signal": [one.description for one, _ in pairs],
            "confidence": [one.confidence for one, _ in pairs],
            **({"other kind": [KIND_NAMES[other.kind] for _, other in pairs]} if name == "Other kind" else {}),
            **(
                {"other": [other.description for _, other in pairs], "other confidence": [other.confidence for _, other in pairs]}
                if paired
                else {}
            ),
        }
    )
    confidence = st.column_config.ProgressColumn("Conf.", min_value=0, max_value=1, format="%.2f", width=80)
    event = st.dataframe(
        frame,
        hide_index=True,
        row_height=30,
        height=min(38 + 30 * len(pairs), 560),
        column_config={
            "article": st.column_config.TextColumn("Article", width="medium"),
            "kind": st.column_config.TextColumn("Kind", width=130),
            "signal": st.column_config.TextColumn(f"In #{comparison.before.batch_id}" if paired else "Signal", width="large"),
            "confidence": confidence,
            "other kind": st.column_config.TextColumn("Kind there", width=130),
            "other": st.column_config.TextColumn(f"In #{comparison.after.batch_id}", width="large"),
            "other confidence": confidence,
        },
        key=f"compared-{comparison.before.batch_id}-{comparison.after.batch_id}-{name}",
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
    )
    if len(found) > SIGNALS_SHOWN:
        st.caption(f"The first {SIGNALS_SHOWN} of {len(found):,}.")
    picked = event.selection.rows or [cell[0] for cell in event.selection.get("cells") or []]
    if picked and picked[0] < len(pairs):
        _chosen(pairs[picked[0]], paired=paired)
    else:
        st.caption("Click a line to open its signal.")


def _chosen(pair: tuple[Found, Found], *, paired: bool) -> None:
    with st.container(border=True):
        for one in pair if paired else pair[:1]:
            row = st.container(horizontal=True, vertical_alignment="center")
            row.markdown(plain(one.description))
            with row:
                if one.decision:
                    badge(one.decision)
                where = {"id": str(one.article_id), "signal": str(one.id)}
                st.page_link(to("article"), label=f"Signal {one.id} in its article", icon=":material/menu_book:", query_params=where)
