"""Authority: how much weight a web page has by its domain. A table that the desk edits; a domain that is not in it has little.

The database holds what differs from the defaults here, so that a desk that changed one line still gets better defaults.
"""

import re
from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit
from core.access import Actor, Permission
from core.errors import NotPossible
from core.models import Authority, DomainAuthority

_DOMAIN = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")

_HIGH = "bis.org bloomberg.com cftc.gov ecb.europa.eu europa.eu federalreserve.gov ft.com imf.org reuters.com sec.gov treasury.gov wsj.com"
_MEDIUM = (
    "apnews.com bbc.co.uk bbc.com bitcoinmagazine.com blockworks.co cnbc.com coindesk.com cointelegraph.com decrypt.co forbes.com"
    " fortune.com nytimes.com theblock.co"
)
DEFAULTS = dict.fromkeys(_HIGH.split(), Authority.HIGH) | dict.fromkeys(_MEDIUM.split(), Authority.MEDIUM)


def authorities(session: Session) -> dict[str, Authority]:
    """Authority by domain, as the desk has it, in the order of the domains."""
    rows = session.execute(select(DomainAuthority.domain, DomainAuthority.authority))
    return dict(sorted((DEFAULTS | dict(rows.all())).items()))


def replace_authorities(session: Session, wanted: Mapping[str, Authority], *, by: Actor) -> None:
    """Make the table say this. A domain may be given as it is pasted, with scheme, ``www.`` and path; a default left out counts as low.

    Raises:
        NotPossible: one of them is no domain; nothing is changed.
    """
    by.require(Permission.SETTINGS)
    named = {domain_of(name): authority for name, authority in wanted.items()}
    changed = dict.fromkeys(DEFAULTS.keys() - named.keys(), Authority.LOW) | {
        domain: authority for domain, authority in named.items() if DEFAULTS.get(domain) is not authority
    }
    before = authorities(session)
    session.execute(delete(DomainAuthority))
    if changed:
        session.execute(insert(DomainAuthority), [{"domain": domain, "authority": authority} for domain, authority in changed.items()])
    after = authorities(session)
    differ = [domain for domain in before.keys() | after.keys() if before.get(domain) is not after.get(domain)]
    if differ:
        stood, stands = ({one: table[one] for one in sorted(differ) if one in table} for table in (before, after))
        audit.record(session, by, audit.Action.AUTHORITY, ("web sources", len(differ)), before=stood, after=stands)


def domain_of(name: str) -> str:
    """``reuters.com`` for ``https://www.Reuters.com/markets``.

    Raises:
        NotPossible: there is no domain in it.
    """
    domain = re.sub(r"^[a-z]+://", "", name.strip().lower()).split("/")[0].split(":")[0].removeprefix("www.").rstrip(".")
    if not _DOMAIN.fullmatch(domain):
        raise NotPossible(f"'{name[:100]}' is no domain. Write it as reuters.com.")
    return domain


def authority_of(publisher: str, known: Mapping[str, Authority], *, in_archive: bool) -> Authority:
    """How much weight a source has: that of its domain, else of the nearest domain above it that is known.

    The desk's own archive counts as medium, since its publishers were chosen, unless the table says otherwise.
    """
    labels = publisher.lower().split(".")
    above = (".".join(labels[start:]) for start in range(len(labels)))
    least = Authority.MEDIUM if in_archive else Authority.LOW
    return next((known[domain] for domain in above if domain in known), least)
