"""Authority by domain: an editable table."""

import pytest
from sqlalchemy import func, select

from core.authorities import DEFAULTS, authorities, authority_of, domain_of, replace_authorities
from core.configuration import Desk
from core.errors import NotPossible
from core.models import Authority, DomainAuthority
from tests.actors import ANN

KNOWN = {"reuters.com": Authority.HIGH, "blog.reuters.com": Authority.LOW, "coindesk.com": Authority.MEDIUM}


@pytest.mark.parametrize(
    ("publisher", "in_archive", "authority"),
    [
        ("reuters.com", False, Authority.HIGH),
        ("Reuters.com", False, Authority.HIGH),
        ("markets.reuters.com", False, Authority.HIGH),
        ("my.blog.reuters.com", False, Authority.LOW),
        ("notreuters.com", False, Authority.LOW),
        ("reuters.com.evil.example", False, Authority.LOW),
        ("unknown.example", False, Authority.LOW),
        ("Crypto Potato", True, Authority.MEDIUM),
        ("reuters.com", True, Authority.HIGH),
        ("", False, Authority.LOW),
    ],
)
def test_authority_is_that_of_the_nearest_known_domain(publisher: str, in_archive: bool, authority: Authority) -> None:
    assert authority_of(publisher, KNOWN, in_archive=in_archive) is authority


@pytest.mark.parametrize("given", ["reuters.com", " https://www.Reuters.com/markets?x=1 ", "http://reuters.com:443", "REUTERS.COM."])
def test_a_domain_may_be_given_as_it_is_pasted(given: str) -> None:
    assert domain_of(given) == "reuters.com"


@pytest.mark.parametrize("given", ["", "reuters", "two words.com", "-x.com", "a..com", "javascript:alert(1)", "x" * 300 + ".com"])
def test_what_is_no_domain_is_refused(given: str) -> None:
    with pytest.raises(NotPossible, match="is no domain"):
        domain_of(given)


def test_the_table_begins_with_the_usual_ones_and_is_replaced_as_a_whole(desk: Desk) -> None:
    before = desk.transaction(authorities)
    assert (before["reuters.com"], before["coindesk.com"]) == (Authority.HIGH, Authority.MEDIUM)
    with pytest.raises(NotPossible):
        desk.transaction(lambda session: replace_authorities(session, {"good.example": Authority.HIGH, "bad": Authority.LOW}, by=ANN))
    assert desk.transaction(authorities) == before
    wanted = {name: one for name, one in before.items() if name != "forbes.com"} | {"https://good.example/x": Authority.HIGH}
    desk.transaction(lambda session: replace_authorities(session, wanted, by=ANN))
    after = desk.transaction(authorities)
    assert after == before | {"good.example": Authority.HIGH, "forbes.com": Authority.LOW}
    with desk.database.session() as session:
        assert session.scalar(select(func.count()).select_from(DomainAuthority)) == 2, "only what differs from the defaults is kept"
    desk.transaction(lambda session: replace_authorities(session, before, by=ANN))
    assert desk.transaction(authorities) == before == dict(sorted(DEFAULTS.items()))
