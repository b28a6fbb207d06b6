"""Articles and signals a UTC day: sums over rows, since a write appends what it adds (``core.rollups``)."""

from datetime import date

from sqlalchemy import BigInteger, Date, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.agents.outputs import SignalKind, Verdict
from core.models.base import Base, Key
from core.models.findings import Decision


class PublisherDay(Base):
    """Articles of one publisher and UTC day, the signals found in them, and those accepted of them."""

    __tablename__ = "publisher_days"
    __table_args__ = (
        Index("ix_publisher_days_day", "day", "publisher_id"),
        Index("ix_publisher_days_unfolded", "id", postgresql_where=text("NOT folded")),
    )

    id: Mapped[Key]
    day: Mapped[date] = mapped_column(Date)
    publisher_id: Mapped[int] = mapped_column(BigInteger)
    articles: Mapped[int] = mapped_column(server_default=text("0"))
    signals: Mapped[int] = mapped_column(server_default=text("0"))
    accepted: Mapped[int] = mapped_column(server_default=text("0"))
    folded: Mapped[bool] = mapped_column(server_default=text("false"))


class SignalDay(Base):
    """Signals found in the articles of one UTC day, by kind, verdict and decision."""

    __tablename__ = "signal_days"
    __table_args__ = (
        Index("ix_signal_days_day", "day", "kind"),
        Index("ix_signal_days_unfolded", "id", postgresql_where=text("NOT folded")),
    )

    id: Mapped[Key]
    day: Mapped[date] = mapped_column(Date)
    kind: Mapped[SignalKind]
    verdict: Mapped[Verdict | None]
    decision: Mapped[Decision | None]
    signals: Mapped[int]
    folded: Mapped[bool] = mapped_column(server_default=text("false"))


class SignalCategory(Base):
    """Signals by category, as corrected or else as found."""

    __tablename__ = "signal_categories"
    __table_args__ = (Index("ix_signal_categories_category", "category"),)

    id: Mapped[Key]
    category: Mapped[str] = mapped_column(String(100))
    signals: Mapped[int]
    folded: Mapped[bool] = mapped_column(server_default=text("false"))
