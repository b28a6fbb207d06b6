"""Articles, and where they came from."""

from datetime import date
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, Computed, Date, ForeignKey, Index, Numeric, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, Created, Json, Key, Moment


class Publisher(Base):
    __tablename__ = "publishers"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(300))
    name_key: Mapped[str] = mapped_column(String(300), unique=True)
    """The name's letters and digits in lower case, so that "CryptoPotato" and "Crypto Potato" are one publisher."""
    is_priority: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[Created]


class Category(Base):
    __tablename__ = "categories"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(200), unique=True)


class Article(Base):
    """A news item. ``search`` weighs the title over the body."""

    __tablename__ = "articles"
    __table_args__ = (
        Index("ix_articles_search", "search", postgresql_using="gin"),
        Index("ix_articles_published_at_id", text("published_at DESC"), text("id DESC")),
        Index("ix_articles_publisher_id_published_at", "publisher_id", text("published_at DESC")),
        Index("ix_articles_story", "story_id", "published_at", "id", postgresql_where=text("story_id IS NOT NULL")),
        Index(
            "ix_articles_story_published",
            text("published_at DESC"),
            "story_id",
            "publisher_id",
            postgresql_where=text("story_id IS NOT NULL"),
        ),
        Index("ix_articles_samples", text("published_at DESC"), text("id DESC"), postgresql_where=text("is_sample")),
        Index("ix_articles_archived", text("published_at DESC"), text("id DESC"), postgresql_where=text("NOT is_active")),
        Index("ix_articles_ungrouped", "id", postgresql_where=text("story_keys IS NULL")),
        # Without its list of pending entries, which every search would read from one end to the other.
        Index("ix_articles_story_keys", "story_keys", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )

    id: Mapped[Key]
    publisher_id: Mapped[int] = mapped_column(ForeignKey("publishers.id"))
    url: Mapped[str | None]
    title: Mapped[str]
    subtitle: Mapped[str | None]
    authors: Mapped[str | None]
    body: Mapped[str]
    body_chars: Mapped[int] = mapped_column(Computed("char_length(body)", persisted=True))
    language: Mapped[str] = mapped_column(String(16))
    keywords: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    provider_sentiment: Mapped[str | None] = mapped_column(String(16))
    published_at: Mapped[Moment]
    imported_at: Mapped[Created]
    updated_at: Mapped[Created]
    import_hash: Mapped[str] = mapped_column(String(64))
    """Of everything a source gave: says whether a re-import changed anything."""
    content_hash: Mapped[str] = mapped_column(String(64))
    """Of title and body: says whether the text that was analysed is still this one."""
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    archived_at: Mapped[Moment | None]
    """When an analyst archived it; null where the source says that it is inactive, and where it is active."""
    is_sample: Mapped[bool] = mapped_column(server_default=text("false"))
    promise: Mapped[float] = mapped_column(server_default=text("0"))
    """The offline rules' own score, 0..1, of how promising the article is."""
    story_id: Mapped[int | None] = mapped_column(BigInteger)
    """The same for all articles of one story: the id that was its smallest member's. Null for an article that is alone."""
    story_keys: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger), deferred=True)
    """By which copies of the text are found (``core.stories``). Null until the article was compared with the others."""
    search: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(
            "setweight(to_tsvector('english', left(title, 1000)), 'A') || setweight(to_tsvector('english', left(body, 60000)), 'B')",
            persisted=True,
        ),
        deferred=True,
    )


class ArticleCell(Base):
    """Articles that every filter but dates and words takes or leaves as a whole. ``ListedArticle`` says which are of it."""

    __tablename__ = "article_cells"
    __table_args__ = (UniqueConstraint("publisher_id", "analysed_with", "thousands", "is_active", "is_sample"),)

    id: Mapped[Key]
    publisher_id: Mapped[int] = mapped_column(BigInteger)
    analysed_with: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """Hashes of the configurations with which the text as it is now was analysed, sorted."""
    thousands: Mapped[int]
    """Length of the body in thousands of characters, rounded down; 4 is 4 or more."""
    is_active: Mapped[bool]
    is_sample: Mapped[bool]


class ListedArticle(Base):
    """What lists of articles are ordered by: a narrow row an article. Kept by the triggers of migration 0006."""

    __tablename__ = "article_list"
    __table_args__ = (
        Index("ix_article_list_newest", "cell_id", text("published_at DESC"), text("article_id DESC"), postgresql_include=["body_chars"]),
        Index("ix_article_list_promise", "cell_id", text("promise DESC"), text("article_id DESC"), postgresql_include=["body_chars"]),
        Index(
            "ix_article_list_any_newest", text("published_at DESC"), text("article_id DESC"), postgresql_include=["cell_id", "body_chars"]
        ),
        Index("ix_article_list_length", "cell_id", text("body_chars DESC"), text("article_id DESC")),
        Index("ix_article_list_story", "story_id", postgresql_where=text("story_id IS NOT NULL")),
    )

    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True)
    cell_id: Mapped[int] = mapped_column(BigInteger)
    published_at: Mapped[Moment]
    body_chars: Mapped[int]
    promise: Mapped[float]
    story_id: Mapped[int | None] = mapped_column(BigInteger)


class ArticleWords(Base):
    """The words of an article, without their places: where frequent ones are looked for. Kept by the triggers of migration 0017."""

    __tablename__ = "article_words"

    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True)
    search: Mapped[str] = mapped_column(TSVECTOR)


class ArticleKey(Base):
    """An identifier by which an article is recognised when it is seen again: its address, provider id or guid."""

    __tablename__ = "article_keys"

    key: Mapped[str] = mapped_column(String(700), primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), index=True)


class ArticleCategory(Base):
    __tablename__ = "article_categories"

    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id", ondelete="CASCADE"), primary_key=True, index=True)


class Move(Base):
    """Another newsletter's database that articles were imported from, and how far (``core.moving``)."""

    __tablename__ = "moves"

    id: Mapped[Key]
    identity: Mapped[str] = mapped_column(String(200), unique=True)
    """Which database of the world it is, whatever its address."""
    name: Mapped[str] = mapped_column(String(300))
    """Host, port and database, as last given."""
    place: Mapped[Json | None]
    """Where an import that has not ended goes on; null once it ended."""
    started_at: Mapped[Created]
    finished_at: Mapped[Moment | None]
    """When it last ended; null while it never did."""


class MovedRow(Base):
    """A row of another database that became an article here, or an analysis of one. It goes with the article."""

    __tablename__ = "moved_rows"

    move_id: Mapped[int] = mapped_column(ForeignKey("moves.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    """``article``, ``analysis``, or ``reference``: what other tables there call an article whose key has several columns."""
    key: Mapped[str] = mapped_column(String(500), primary_key=True)
    """The row's key as text; of one that is longer its SHA-256."""
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), index=True)
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    """Of an article: what it was when it was last taken, so that the same again is left alone."""


class Price(Base):
    """What a Bitcoin cost in USD at the end of a UTC day, as an analyst imported it."""

    __tablename__ = "prices"
    __table_args__ = (CheckConstraint("close > 0", name="above_zero"),)

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    close: Mapped[Decimal] = mapped_column(Numeric(20, 8))
    imported_at: Mapped[Created]
