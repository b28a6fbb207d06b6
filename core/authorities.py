"""Authority: how much weight a web page has by its domain. A table that the desk edits; a domain that is not in it has little."""

import re
from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.errors import NotPossible
from core.models import Authority, DomainAuthority

_DOMAIN = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def authorities(session: Session) -> dict[str, Authority]:
    """Authority by domain, as the desk has it, in the order of the domains."""
    rows = session.execute(select(DomainAuthority.domain, DomainAuthority.authority).order_by(DomainAuthority.domain))
    return dict(rows.all())


def replace_authorities(session: Session, wanted: Mapping[str, Authority]) -> None:
    """Make the table say this and nothing else. A domain may be given as it is pasted, with scheme, ``www.`` and path.

    Raises:
        NotPossible: one of them is no domain; nothing is changed.
    """
    rows = [{"domain": domain_of(name), "authority": authority} for name, authority in wanted.items()]
    session.execute(delete(DomainAuthority))
    if rows:
        by_domain = {row["domain"]: row for row in rows}
        session.execute(insert(DomainAuthority), list(by_domain.values()))


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
