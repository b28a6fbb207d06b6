"""Roll-ups and lists that follow from the other tables: folding what writes appended, and making all of it anew.

Triggers (``core/migrations/sql``) keep them in the transaction that writes: they append what it adds or takes away, so two
writers never wait for one another. Readers sum the rows, folded or not, so a figure is right at any moment; folding only keeps
the rows few. Any thread may call this.
"""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

FOLD_EVERY = timedelta(minutes=1)
"""How often the schedule folds."""


def fold(session: Session) -> None:
    """Put the rows of one key together. Does nothing while somebody else folds."""
    session.execute(text("SELECT fold_rollups(), fold_decisions()"))


def rebuild(session: Session) -> None:
    """Make lists and roll-ups anew from articles, analyses, signals and reviews; a few minutes for a million articles."""
    session.execute(text("SELECT rebuild_lists(), rebuild_words(), rebuild_decisions()"))
