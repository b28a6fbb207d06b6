"""Reviewing in a real browser: twenty signals by keyboard alone, an undo, a bulk decision, a colleague's browser, the export."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text, update

from core.configuration import Desk
from core.database import Database
from core.models import Signal
from tests.browser.downloads import downloaded
from tests.browser.screenshots import settled
from tests.core.answered import a_signal, keep, validated

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def signal_ids(desk: Desk, articles: Any) -> list[int]:
    """Thirty signals in three articles, strongest first, the first of them validated."""
    ids = [
        id_
        for number, article in enumerate(articles(3))
        for id_ in keep(
            desk,
            article,
            *[
                a_signal(description=f"Signal {number}-{place} of the miners.", confidence=0.95 - 0.1 * number - 0.01 * place)
                for place in range(10)
            ],
        )
    ]
    validated(desk, ids[0])
    return ids


READABLE_MS = 400
"""Longer than a signal has to stand before a key may decide on it."""


def open_review(page: Page, url: str) -> str:
    """Open the queue and wait until the signal in view could be read; returns that."""
    page.goto(f"{url}/review")
    expect(page.get_by_text("To review")).to_be_visible()
    expect(page.locator(".reader mark").first).to_be_visible()
    page.wait_for_timeout(READABLE_MS)
    return signal_in_view(page)


def signal_in_view(page: Page) -> str:
    """The description in view, which says which signal it is."""
    return page.get_by_text(re.compile(r"^Signal \d-\d of the miners\.$")).inner_text()


def reviewed(page: Page, number: int) -> None:
    expect(page.get_by_test_id("stMetric").filter(has_text="Reviewed here")).to_contain_text(re.compile(rf"Reviewed here\s*{number}$"))


def press(page: Page, key: str, after: str) -> str:
    """Press a key, not before the signal could be read, and wait until another is in view; returns that."""
    page.wait_for_timeout(READABLE_MS)
    page.keyboard.press(key)
    expect(page.get_by_text(after)).to_have_count(0)
    return signal_in_view(page)


def test_twenty_by_keyboard_an_undo_a_bulk_decision_a_colleague_and_the_export(
    start_console: Any, page: Page, browser: Browser, database: Database, signal_ids: list[int]
) -> None:
    console = start_console(SIGNALDESK_BLIND_SHARE="0")
    open_review(page, console.url)
    for key in ("A accept", "X reject", "U unsure", "N note", "J next", "K previous", "Z undo"):
        expect(page.get_by_test_id("stMarkdownContainer").filter(has_text="accept ·")).to_contain_text(key)
    expect(page.get_by_text("1 page, 1 origin")).to_be_visible()

    colleague = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    theirs = open_review(colleague, console.url)
    assert theirs != signal_in_view(page), "two people got the same signal"

    seen = [signal_in_view(page)]
    for number in range(20):
        if number == 3:
            page.keyboard.press("n")
            note = page.get_by_placeholder("Note (N)")
            expect(note).to_be_focused()
            page.keyboard.type("ask axu")  # letters that are keys, too
            page.keyboard.press("Enter")
            expect(note).not_to_be_focused()
        seen.append(press(page, "axu"[number % 3], seen[-1]))
        reviewed(page, number + 1)
    assert theirs not in seen
    assert len(set(seen)) == 21
    with database.session() as session:
        decided = session.execute(text("SELECT description, decision FROM signals WHERE decision IS NOT NULL")).all()
        notes = session.scalars(text("SELECT s.description FROM reviews r JOIN signals s ON s.id = signal_id WHERE note = 'ask axu'")).all()
    assert {row.description: row.decision for row in decided} == {
        description: ("accepted", "rejected", "unsure")[place % 3] for place, description in enumerate(seen[:20])
    }
    assert notes == [seen[3]]

    page.keyboard.press("z")
    expect(page.get_by_text(seen[19])).to_be_visible()
    reviewed(page, 19)
    expect(page.get_by_text(re.compile(r"^undone by analyst.*before: rejected"))).to_be_visible()
    press(page, "j", seen[19])
    press(page, "k", signal_in_view(page))
    expect(page.get_by_text(seen[19])).to_be_visible()
    press(page, "a", seen[19])
    reviewed(page, 20)

    page.goto(f"{console.url}/signals?review=to+review&confidence=0.7")
    expect(page.get_by_text(re.compile(r"^\d+ signals$"))).to_be_visible()
    shown = int(page.get_by_text(re.compile(r"^\d+ signals$")).inner_text().split()[0])
    page.get_by_role("button", name="Decide on all").click()
    expect(page.get_by_text(f"{shown} signals match")).to_be_visible()
    decide = page.get_by_role("dialog").get_by_role("button", name="Decide", exact=True)
    expect(decide).to_be_disabled()
    page.get_by_text(f"Yes, on all {shown}").click()
    expect(decide).to_be_enabled()
    decide.click()
    expect(page.get_by_text("No signal matches.")).to_be_visible()

    page.goto(f"{console.url}/signals?review=rejected")
    count = page.get_by_text(re.compile(r"^\d+ signals$"))
    expect(count).to_be_visible()
    shown = int(count.inner_text().split()[0])
    rows, manifest = downloaded(page)
    assert len(rows) == shown
    with database.session() as session:
        ids = session.scalars(text("SELECT id FROM signals WHERE decision = 'rejected' ORDER BY confidence DESC, id DESC")).all()
    assert [int(row["signal_id"]) for row in rows] == ids
    assert (manifest["count"], manifest["filter"]["reviewed"]) == (len(ids), "rejected")
    colleague.context.close()


def decisions(database: Database) -> int:
    with database.session() as session:
        return session.scalar(text("SELECT count(*) FROM signals WHERE decision IS NOT NULL")) or 0


def test_a_held_key_and_a_nervous_finger_decide_one_signal(
    start_console: Any, page: Page, database: Database, signal_ids: list[int]
) -> None:
    console = start_console()
    first = open_review(page, console.url)
    for _ in range(12):  # as the keyboard repeats it
        page.keyboard.down("a")
        page.wait_for_timeout(60)
    page.keyboard.up("a")
    reviewed(page, 1)
    page.wait_for_timeout(600)
    assert (decisions(database), signal_in_view(page) != first) == (1, True)
    for _ in range(3):
        page.keyboard.press("x")
        page.wait_for_timeout(80)
    reviewed(page, 2)
    page.wait_for_timeout(800)
    assert decisions(database) == 2


def test_no_letter_of_a_note_is_taken_for_a_key_however_fast_it_is_typed(
    start_console: Any, page: Page, database: Database, signal_ids: list[int]
) -> None:
    console = start_console()
    first = open_review(page, console.url)
    page.keyboard.type("nask axu why", delay=15)
    expect(page.get_by_placeholder("Note (N)")).to_have_value("ask axu why")
    assert decisions(database) == 0
    page.keyboard.press("Enter")
    expect(page.get_by_placeholder("Note (N)")).not_to_be_focused()
    page.get_by_text("Filter and order").click()  # a note that waits for its decision is kept when the queue changes
    page.get_by_placeholder("words in signal or article").fill("Signal")
    page.get_by_placeholder("words in signal or article").press("Enter")
    expect(page.get_by_text(re.compile("^noted by analyst.*ask axu why"))).to_be_visible()
    assert signal_in_view(page) == first


def test_undo_survives_a_reload_and_what_cannot_be_undone_any_more(
    start_console: Any, page: Page, database: Database, signal_ids: list[int]
) -> None:
    console = start_console()
    first = open_review(page, console.url)
    second = press(page, "a", first)
    press(page, "x", second)
    with database.session() as session:
        session.execute(text("DELETE FROM signals WHERE description = :gone"), {"gone": second})
    page.keyboard.press("z")
    expect(page.get_by_text(re.compile("does not exist"))).to_be_visible()
    page.keyboard.press("z")
    expect(page.get_by_text(first)).to_be_visible()
    press(page, "a", first)
    page.reload()
    expect(page.locator(".reader mark").first).to_be_visible()
    page.wait_for_timeout(READABLE_MS)
    page.keyboard.press("z")
    expect(page.get_by_text(first)).to_be_visible()
    assert decisions(database) == 0


def test_a_bulk_decision_is_undone_in_one_click(start_console: Any, page: Page, database: Database, signal_ids: list[int]) -> None:
    console = start_console()
    page.goto(f"{console.url}/signals")
    page.get_by_role("button", name="Decide on all").click()
    page.get_by_text("Yes, on all 30").click()
    page.get_by_role("dialog").get_by_role("button", name="Decide", exact=True).click()
    page.get_by_role("button", name="Undo: 30 rejected").click()
    expect(page.get_by_text("30 taken back")).to_be_visible()
    with database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM signals WHERE decision IS NOT NULL")) == 0
        assert session.scalar(text("SELECT count(*) FROM reviews")) == 60


def test_on_signals_a_note_and_the_signal_in_view_outlast_a_look_at_another(
    start_console: Any, page: Page, database: Database, signal_ids: list[int]
) -> None:
    page.goto(f"{start_console().url}/signals")
    note, canvas = page.get_by_placeholder("Note (optional)"), page.get_by_test_id("stDataFrame").locator("canvas").first

    def look_at(row: int) -> None:
        before = page.url
        canvas.click(position={"x": 300, "y": 35 + 30 * row + 15}, force=True)
        expect(page).not_to_have_url(before)
        expect(note).to_have_count(1)  # while a run goes on, the card before stands there, too
        settled(page)

    expect(page.get_by_test_id("stDataFrame").locator("canvas [role=gridcell]").first).to_be_attached()
    page.wait_for_timeout(400)
    look_at(3)
    expect(page).to_have_url(re.compile(r"signal=\d+"))
    chosen = page.url
    note.fill("half a thought")
    look_at(5)
    expect(note).to_have_value("")
    look_at(3)
    expect(note).to_have_value("half a thought")
    page.reload()
    expect(page).to_have_url(chosen)
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_text(re.compile("accepted by"))).to_be_visible()
    with database.session() as session:
        decided = session.scalar(text("SELECT id FROM signals WHERE decision = 'accepted'"))
    assert chosen.endswith(f"signal={decided}")


def test_a_blind_verdict_shows_once_it_is_decided_and_nowhere_before(
    start_console: Any, page: Page, database: Database, signal_ids: list[int]
) -> None:
    console = start_console(SIGNALDESK_BLIND_SHARE="1")
    open_review(page, console.url)
    expect(page.get_by_text("Hidden until you decide")).to_be_visible()
    expect(page.get_by_text("validated", exact=True)).to_have_count(0)
    first = signal_in_view(page)
    page.goto(f"{console.url}/signals")
    expect(page.get_by_text("Hidden until you decide")).to_be_visible()
    expect(page.get_by_text("validated", exact=True)).to_have_count(0)
    open_review(page, console.url)
    with database.session() as session:
        session.execute(update(Signal).where(Signal.description != first).values(confidence=0.1))
    press(page, "a", signal_in_view(page))
    with database.session() as session:
        assert session.execute(text("SELECT blind, verdict FROM reviews")).all() == [(True, "VALIDATED")]
    expect(page.get_by_text("The hidden verdict was: validated.")).to_be_visible()


def test_a_correction_stands_beside_the_original(start_console: Any, page: Page, database: Database, signal_ids: list[int]) -> None:
    console = start_console()
    first = open_review(page, console.url)
    page.get_by_role("button", name="Correct").click()
    page.get_by_label("Description").fill("What the miners really did.")
    page.get_by_role("button", name="Save the correction").click()
    expect(page.get_by_text("What the miners really did.", exact=True)).to_be_visible()
    expect(page.get_by_text(f"Corrected. As found: {first}")).to_be_visible()
    expect(page.get_by_text(re.compile("corrected “What the miners really did.” by analyst"))).to_be_visible()
    with database.session() as session:
        row = session.execute(text("SELECT description, corrected_description FROM signals WHERE corrected_description IS NOT NULL")).one()
    assert tuple(row) == (first, "What the miners really did.")


def test_a_signal_is_handed_to_a_colleague(start_console: Any, page: Page, browser: Browser, signal_ids: list[int]) -> None:
    console = start_console()
    first = open_review(page, console.url)
    page.get_by_role("button", name="Hand over").click()
    page.get_by_role("combobox", name="Colleague").fill("Bea")
    page.get_by_role("combobox", name="Colleague").press("Enter")
    page.get_by_role("button", name="Hand over").last.click()
    expect(page.get_by_text("With others now: Bea (1)")).to_be_visible()
    assert signal_in_view(page) != first
    bea = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    open_review(bea, console.url)
    bea.get_by_role("textbox", name="Reviewing as").fill("Bea")
    bea.get_by_role("textbox", name="Reviewing as").press("Enter")
    bea.get_by_role("textbox", name="Reviewing as").blur()
    expect(bea.get_by_text("1 handed to you come first")).to_be_visible()
    press(bea, "j", signal_in_view(bea))
    assert signal_in_view(bea) == first
    bea.context.close()


def test_a_highlight_leads_to_its_signal_and_back(start_console: Any, page: Page, desk: Desk, articles: Any) -> None:
    body = "Miner nine sold 4,100 coins on Tuesday. " + "It rained all day long in the valley. " * 70
    (article,) = articles(1, body=body)
    one, two = keep(desk, article, a_signal("Miner nine sold 4,100 coins"), a_signal("sold 4,100 coins on Tuesday", kind="narrative_gap"))
    console = start_console()
    page.goto(f"{console.url}/article?id={article}")
    marks = page.locator(".reader").first
    expect(marks.locator("mark")).to_have_count(3)
    for signal_id in (one, two):  # they overlap, and yet each has a link of its own
        link = marks.locator(f"sup a[href='#signal-{signal_id}']")
        link.click()
        expect(page).to_have_url(re.compile(f"#signal-{signal_id}$"))
        expect(page.locator(f"#signal-{signal_id}")).to_be_in_viewport()
        page.locator(f"#signal-{signal_id}").click()
        expect(page).to_have_url(re.compile(f"#evidence-{signal_id}$"))
        expect(page.locator(f"#evidence-{signal_id}")).to_be_in_viewport()
