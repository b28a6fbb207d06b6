"""A desk with something on every page: the samples, an offline run, a paid run (against the loopback server) in which an article
fails, one that is paused, reviews, and a changed limit. The same each time but for the times, which are those of the call."""

import time
from decimal import Decimal

from pydantic import SecretStr
from sqlalchemy import func, select

from core import batch_actions, batches, launching, people, reviews, tokens
from core.access import ITSELF, Permission, Role, local
from core.budget import current_budgets
from core.clock import utc_now
from core.configuration import Desk
from core.database import Database
from core.limits import change_limit
from core.models import Article, BatchStatus, Decision, Signal
from core.orchestrator import Orchestrator
from core.reviews import Correction
from core.samples import load_samples
from core.selection import Selection
from core.settings import Settings
from tests.actors import ANN
from tests.loopback import LoopbackProviders

OFFLINE, PAID, PAUSED = slice(0, 24), slice(24, 36), slice(36, 44)
"""Which of the samples, newest first, each run has."""
DECISIONS = (Decision.ACCEPTED, Decision.REJECTED, Decision.ACCEPTED, Decision.UNSURE, Decision.ACCEPTED)
REVIEWED = 25
PATIENCE_SECONDS = 120


def fill(settings: Settings) -> int:
    """Fill the empty database that ``settings`` lead to. Returns the article with most signals."""
    database = Database.open(settings)
    try:
        with LoopbackProviders(seed=3, latency={"gemini": 0.1, "tavily": 0.05}) as providers:
            _fill(database, settings, providers)
        with database.session() as session:
            return session.scalars(select(Signal.article_id).group_by(Signal.article_id).order_by(func.count().desc())).first() or 0
    finally:
        database.close()


def _fill(database: Database, settings: Settings, providers: LoopbackProviders) -> None:
    free = Desk(database, settings.model_copy(update={"model": "offline", "research_provider": "archive"}))
    keys = providers.env()
    with_keys = {
        "gemini_api_key": SecretStr(keys["GEMINI_API_KEY"]),
        "gemini_base_url": providers.url,
        "tavily_api_key": SecretStr(keys["TAVILY_API_KEY"]),
        "tavily_base_url": providers.url,
    }
    paid = Desk(database, settings.model_copy(update=with_keys))
    load_samples(free, utc_now(), by=ITSELF)
    with database.session() as session:
        newest = session.scalars(select(Article.id).order_by(Article.published_at.desc(), Article.id.desc())).all()
    _run(free, _launched(free, newest[OFFLINE]))
    providers.faults({"kind": "safety", "provider": "gemini", "after_n": 3, "count": 1})
    _run(paid, _launched(paid, newest[PAID], budget=Decimal("0.50")))
    waiting = _launched(free, newest[PAUSED])
    with database.session() as session:
        batch_actions.pause(session, waiting, "Paused by analyst.", by=ANN)
        for position, signal_id in enumerate(session.scalars(select(Signal.id).order_by(Signal.id).limit(REVIEWED)).all()):
            note = "lead story" if position == 0 else None
            reviews.decide(session, signal_id, DECISIONS[position % len(DECISIONS)], by=local(("ada", "analyst")[position % 2]), note=note)
        first = session.scalars(select(Signal).order_by(Signal.id)).first()
        assert first is not None
        reviews.correct(session, first.id, Correction("markets", first.description, first.timeframe), by=local("ada"))
        today = current_budgets(session, settings, utc_now())[0]
        change_limit(session, today.id, Decimal("0.50"), by=local("ada"))
        for email, role in (("ada@example.org", Role.ADMIN), ("bea@example.org", Role.VIEWER)):
            people.set_role(session, email, role, by=ANN, settings=settings)
        for name in ("dashboard", "an older one"):
            tokens.create(session, name, {Permission.READ}, by=ANN)
        tokens.revoke(session, min(token.id for token in tokens.listed(session) if token.name == "an older one"), by=ANN)


def _launched(desk: Desk, ids: list[int], budget: Decimal | None = None) -> int:
    with desk.database.session() as session:
        return launching.launch(session, Selection.of_ids(ids), desk.settings(session), by=local("analyst"), now=utc_now(), budget=budget)


def _run(desk: Desk, batch_id: int) -> None:
    orchestrator = Orchestrator(desk)
    orchestrator.start()
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while desk.transaction(lambda session: batches.progress(session, batch_id)).status in BatchStatus.claimable():
            assert time.monotonic() < until, f"run {batch_id} did not end"
            time.sleep(0.1)
    finally:
        orchestrator.stop()
