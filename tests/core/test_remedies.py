"""Errors by cause: which messages are one, what each kind means, and the click that fixes one group and leaves the others."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from core import batch_actions, batches, budget, launching, records, remedies
from core.access import local
from core.budget import NoRoom
from core.causes import BUDGET, SETTINGS, TOO_MANY, Cause
from core.configuration import Configuration, Desk
from core.errors import NotPossible, SettingsError
from core.failures import FailureKind
from core.models import BatchSession, BatchStatus, RecordStatus
from core.remedies import REMEDIES, Fix
from core.selection import Selection
from core.validations import Finding, keep_validations
from tests.actors import ANN
from tests.conftest import NOW
from tests.core.answered import a_signal, keep


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The ceiling is $0.25; $0.21 is spent.", "The ceiling is $0.50; $0.0431 is spent."),
        ("No answer from https://a.example/x?y=1 in time.", "No answer from http://b.example/ in time."),
        ("models/'gemini-2.5' is not found", "models/'gemini-3' is not found"),
        ('Field "summary" is missing', 'Field "context" is missing'),
        ("Request 3f9a0c2b44d1 was refused", "Request 99ab0c2b44d1ff was refused"),
        ("Too   many\nspaces", "Too many spaces"),
    ],
)
def test_messages_that_differ_only_in_details_are_one_cause(one: str, other: str) -> None:
    assert Cause.of("rejected", one) == Cause.of("rejected", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("timeout", "It broke."), ("connection", "It broke.")),
        (("rejected", "The key can't be used, it isn't valid."), ("rejected", "The key can't be used, it doesn't exist.")),
        (("rejected", "Too long."), ("rejected", "Too short.")),
    ],
)
def test_another_kind_or_other_words_are_another_cause(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert Cause.of(*one) != Cause.of(*other)


def test_every_kind_of_failure_and_pause_has_words_and_a_fix() -> None:
    assert set(REMEDIES) == {*FailureKind, BUDGET, SETTINGS, TOO_MANY}
    assert all(one.title and one.meaning and one.fixes for one in REMEDIES.values())
    assert remedies.remedy_of("of a later version") is REMEDIES[FailureKind.INTERNAL]


# In the database


def failed(desk: Desk, ids: list[int], *failures: tuple[str, str], end: bool = True) -> int:
    """A batch of which the first articles failed so and the others are done; ended unless said otherwise."""

    def work(session: Any) -> int:
        batch_id = launching.launch(session, Selection.of_ids(ids), desk.environment, by=local("ada"), now=NOW)
        for position, held in enumerate(records.claim(session, batch_id, owner="w1", most=len(ids), now=NOW)):
            if position < len(failures):
                records.fail(session, held.record_id, *failures[position], owner="w1", now=NOW)
            else:
                records.complete(session, [held.record_id], owner="w1", now=NOW)
        if end:
            batch_actions.finish_if_done(session, batch_id, now=NOW)
        return batch_id

    return desk.transaction(work)


CUT = ("cut_off", "The answer was cut off.")
SLOW = (("timeout", "No answer in 120 s."), ("timeout", "No answer in 60 s."))


def counts(desk: Desk, batch_id: int) -> dict[RecordStatus, int]:
    found = desk.transaction(lambda session: batches.progress(session, batch_id)).counts
    return {status: number for status, number in found.items() if number}


def test_failures_are_grouped_by_cause_the_largest_first(desk: Desk, articles: Any) -> None:
    ids = articles(5)
    batch_id = failed(desk, ids, CUT, *SLOW)
    groups = desk.transaction(lambda session: remedies.failure_groups(session, batch_id))
    assert [(one.cause, one.number) for one in groups] == [(Cause.of(*SLOW[0]), 2), (Cause.of(*CUT), 1)]
    assert groups[1].article_id == ids[0]
    assert (groups[1].example, groups[1].remedy.fixes[0]) == ("The answer was cut off.", Fix.MORE_OUTPUT)


def test_one_group_is_retried_and_the_others_stay(desk: Desk, articles: Any) -> None:
    batch_id = failed(desk, articles(4), CUT, *SLOW)
    slow = Cause.of(*SLOW[1])
    assert desk.transaction(lambda session: batch_actions.retry_failed(session, batch_id, slow, by=ANN)) == 2
    assert counts(desk, batch_id) == {RecordStatus.PENDING: 2, RecordStatus.FAILED: 1, RecordStatus.COMPLETED: 1}
    assert desk.transaction(lambda session: batches.progress(session, batch_id)).status is BatchStatus.PROCESSING
    with pytest.raises(NotPossible, match="any more"):
        desk.transaction(lambda session: batch_actions.retry_failed(session, batch_id, slow, by=ANN))


def test_one_group_is_taken_out_keeps_its_reason_and_can_be_queued_again(desk: Desk, articles: Any) -> None:
    batch_id = failed(desk, articles(4), CUT, *SLOW)
    assert desk.transaction(lambda session: batch_actions.take_out(session, batch_id, Cause.of(*CUT), now=NOW, by=ANN)) == 1
    assert counts(desk, batch_id) == {RecordStatus.CANCELLED: 1, RecordStatus.FAILED: 2, RecordStatus.COMPLETED: 1}
    (row,) = desk.transaction(lambda session: records.rows(session, batch_id, statuses=[RecordStatus.CANCELLED]))
    assert row.error_message == "The answer was cut off."
    desk.transaction(lambda session: batch_actions.requeue(session, row.id, by=ANN))
    assert counts(desk, batch_id)[RecordStatus.PENDING] == 1


def test_what_was_cut_off_runs_anew_with_twice_the_output(desk: Desk, articles: Any) -> None:
    ids = articles(3)
    batch_id = failed(desk, ids, CUT, CUT)
    cause = Cause.of(*CUT)
    new = desk.transaction(
        lambda session: remedies.run_with_more_output(session, batch_id, cause, desk.environment, by=local("ada"), now=NOW)
    )
    with desk.database.session() as session:
        launched = session.get_one(BatchSession, new)
        assert launched.configuration["max_output_tokens"] == 2 * desk.environment.max_output_tokens
        assert launched.selection["ids"] == ids[:2]
    assert counts(desk, batch_id)[RecordStatus.FAILED] == 2  # the old run tells what happened in it


def test_there_is_an_end_to_more_output(desk: Desk, articles: Any, make_settings: Any) -> None:
    full = Desk(desk.database, make_settings(max_output_tokens=65_536))
    batch_id = failed(full, articles(1), CUT)
    with pytest.raises(NotPossible, match="65,536"):
        desk.transaction(lambda session: remedies.more_output(session, batch_id))


CEILING = ("ceiling", "The ceiling per article is $0.25; $0.20 is spent.")


def raised(desk: Desk, batch_id: int) -> tuple[Decimal, int]:
    cause = Cause.of(*CEILING)
    return desk.transaction(
        lambda session: remedies.raise_ceiling_and_retry(
            session, batch_id, cause, desk.settings(session), desk.environment, by=local("ada")
        )
    )


def test_a_higher_ceiling_is_saved_and_what_it_stopped_runs_again(desk: Desk, articles: Any) -> None:
    batch_id = failed(desk, articles(2), CEILING)
    assert raised(desk, batch_id) == (Decimal("0.50"), 1)
    assert desk.transaction(desk.settings).cost_ceiling_per_article == Decimal("0.50")
    assert counts(desk, batch_id)[RecordStatus.PENDING] == 1


def test_the_ceiling_is_not_raised_while_a_run_would_not_see_it_or_the_environment_fixes_it(
    desk: Desk, articles: Any, make_settings: Any
) -> None:
    running = failed(desk, articles(2), CEILING, end=False)
    with pytest.raises(NotPossible, match="while it runs"):
        raised(desk, running)
    fixed = Desk(desk.database, make_settings(cost_ceiling_per_article="0.25"))
    ended = failed(desk, articles(2), CEILING)
    with pytest.raises(SettingsError, match="environment"):
        raised(fixed, ended)
    assert counts(desk, ended)[RecordStatus.FAILED] == 1


def test_failed_research_is_grouped_by_its_reason(desk: Desk, articles: Any) -> None:
    one, other, fine = (keep(desk, article_id, a_signal())[0] for article_id in articles(3))
    findings = [
        Finding(one, (), reason="The search failed. No answer in 30 s.", failed=True),
        Finding(other, (), reason="The search failed. No answer in 60 s.", failed=True),
        Finding(fine, (), reason="The search failed. No answer in 60 s.", failed=True),
    ]
    desk.transaction(lambda session: keep_validations(session, findings, Configuration.of(desk.environment)))
    desk.transaction(lambda session: keep_validations(session, [Finding(fine, ())], Configuration.of(desk.environment)))
    groups = [
        group for batch_id in (1, 2, 3) for group in desk.transaction(lambda session, b=batch_id: remedies.research_groups(session, b))
    ]
    assert [(group.cause, group.number, group.remedy.fixes) for group in groups] == [
        (Cause.of("research", "The search failed. No answer in 1 s."), 1, (Fix.RESEARCH,))
    ] * 2
    assert desk.transaction(lambda session: batches.progress(session, 3)).failed_research == 0


# Pauses


def test_a_pause_tells_its_cause_unless_a_person_wanted_it(desk: Desk, articles: Any) -> None:
    batch_id = failed(desk, articles(3), CUT, end=False)

    def paused() -> remedies.Group | None:
        return remedies.pause_group(desk.transaction(lambda session: batches.progress(session, batch_id)))

    desk.transaction(lambda session: batch_actions.pause(session, batch_id, "Paused by ada.", by=ANN))
    assert paused() is None
    desk.transaction(lambda session: batch_actions.resume(session, batch_id, by=ANN))
    desk.transaction(lambda session: batch_actions.pause_for_cause(session, batch_id, "The key is refused.", kind="key"))
    group = paused()
    assert group is not None
    assert (group.cause.kind, group.remedy.fixes) == ("key", (Fix.RESUME, Fix.SETTINGS))
    desk.transaction(lambda session: batch_actions.resume(session, batch_id, by=ANN))
    assert desk.transaction(lambda session: session.scalar(select(BatchSession.pause_kind))) is None


def test_a_pause_for_want_of_budget_is_topped_up(desk: Desk, articles: Any) -> None:
    batch_id = failed(desk, articles(2), CUT, end=False)
    day = desk.transaction(lambda session: budget.current_budgets(session, desk.environment, NOW))[0]
    desk.transaction(lambda session: batch_actions.pause_for_budget(session, batch_id, NoRoom(day, Decimal("9"))))
    group = remedies.pause_group(desk.transaction(lambda session: batches.progress(session, batch_id)))
    assert group is not None
    assert group.remedy.fixes[0] is Fix.TOP_UP


def test_articles_to_run_again_are_those_that_ran(desk: Desk, articles: Any) -> None:
    ids = articles(3)
    batch_id = failed(desk, ids, CUT)
    assert desk.transaction(lambda session: remedies.articles_of(session, batch_id)).ids == tuple(ids)
    assert desk.transaction(lambda session: remedies.articles_of(session, batch_id, Cause.of(*CUT))).ids == (ids[0],)
