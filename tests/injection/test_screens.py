"""What an attack looks like on a screen and in a spreadsheet: its own words, and no markup."""

import csv
import io

import pytest
from lxml import html

from console.reader import Mark, highlighted
from core.agents.outputs import SignalKind
from core.exports import cell
from tests.console.test_words import shown
from tests.injection.attacks import ATTACKS, Attack

every_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.family}: {attack.name}")


@every_attack
def test_as_markdown_it_is_one_paragraph_of_its_own_words(attack: Attack) -> None:
    text = attack.text[:4_000]
    assert shown(text) == " ".join(text.split()).replace("\u2060", "")


@every_attack
def test_in_the_reader_it_is_text_and_a_mark(attack: Attack) -> None:
    body = f"Before it.\n\n{attack.text[:4_000]}\n\nAfter it."
    start = body.index(attack.text[:8])
    page = html.fragment_fromstring(highlighted(body, [Mark(start, len(body) - 5, SignalKind.WEAK_SIGNAL, 7)]), create_parent="section")
    assert {element.tag for element in page.iter()} <= {"section", "div", "p", "br", "mark", "style"}
    assert {name for element in page.iter() for name in element.attrib} <= {"class", "style", "title", "data-signal"}
    (reader,) = page.find_class("reader")
    assert "".join(reader.text_content().split()) == "".join(body.split())


@every_attack
def test_in_a_spreadsheet_no_cell_is_a_formula(attack: Attack) -> None:
    written = io.StringIO()
    csv.writer(written).writerow([cell(attack.text), "next"])
    (row,) = csv.reader(io.StringIO(written.getvalue(), newline=""))
    assert row[1:] == ["next"]
    assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert row[0] in (attack.text, f"'{attack.text}")
