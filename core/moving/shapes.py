"""What the other database's tables and columns are, by their names and by the references that they declare. Pure.

Names are compared without case, spaces and punctuation, as in files (``core.importers.fields``).
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from core.errors import ImportRefused
from core.importers.fields import ALIASES
from core.moving.source import SourceTable

MORE: Mapping[str, tuple[str, ...]] = {
    "title": ("articletitle", "newstitle"),
    "body": (
        *("bodytext", "bodyhtml", "articletext", "articlecontent", "fullcontent", "cleancontent", "cleanedcontent", "contentclean"),
        *("textcontent", "rawtext", "rawcontent", "html", "rawhtml", "markdown"),
    ),
    "url": ("sourceurl", "originalurl", "canonicalurl", "weburl", "uri", "href", "guidurl"),
    "published": (
        *("publishtime", "publishdate", "publishedtime", "publicationtime", "postedat", "firstpublishedat", "pubdatetime"),
        *("insertedat", "importedat", "fetchedat", "scrapedat", "collectedat", "updatedat"),
    ),
    "authors": ("authorname", "authornames", "writer"),
}
"""What columns of databases are called beside what fields of files are."""
_DELETED = ("deleted", "isdeleted", "deletedat", "removedat", "isarchived", "archivedat", "isspam")
_PUBLISHER_KEYS = ("publisherid", "publisheruuid", "publisherkey", "publisherref", "sourceid", "siteid", "outletid", "newssourceid")
_PUBLISHER_NAMES = ("publishername", *ALIASES["publisher"], "outlet", "newssource", "feedname")
_NAMES = ("name", "title", "label", "displayname", "publishername", "categoryname", "sitename", "tag", "slug", "domain", "website", "url")
_CATEGORY_KEYS = ("categoryid", "categoryids", "categoryuuid", "categoryuuids", "primarycategoryid", "maincategoryid")
_CATEGORY_NAMES = ("categories", "category", "categorynames", "categoryname", "sections", "section", "topics", "topic")
_ARTICLE_KEYS = ("articleid", "articleuuid", "articlekey", "articleref", "newsid", "newsarticleid", "postid", "itemid")
_JOINS = re.compile(r"(?:news)?article(?:s)?(?:to|x)?categor(?:y|ies)(?:map|mapping|link|links)?|categor(?:y|ies)(?:to|x)?article(?:s)?")
_GUID = ("guid",)
_PRIORITY = ("ispriority", "priority")


def plain(name: str) -> str:
    """A name as names are compared."""
    return re.sub(r"[\W_]+", "", name).lower()


@dataclass(frozen=True, slots=True)
class Named:
    """A table of names: publishers, categories."""

    table: SourceTable
    key: str | None
    """What others refer to it by."""
    names: tuple[str, ...]
    """Its columns that may say the name, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A table that says which articles have which categories."""

    table: SourceTable
    article: str
    category: str


@dataclass(frozen=True, slots=True)
class ArticleShape:
    """The table of articles: which column is what."""

    table: SourceTable
    key: str | None
    """What other tables refer to an article by."""
    fields: Mapping[str, tuple[str, ...]]
    """Columns by the field of an article that they may fill, the likeliest first."""
    deleted: tuple[str, ...]
    publisher: tuple[str, ...]
    """Columns that say the publisher, by key or by name; those that refer to ``publishers`` come first."""
    categories: tuple[str, ...]
    """Columns that say categories, by keys or by names."""
    publishers: Named | None
    category_names: Named | None
    joined: Joined | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read."""
        found = [name for names in self.fields.values() for name in names]
        keys = [self.key] if self.key else []
        return tuple(dict.fromkeys([*keys, *found, *self.deleted, *self.publisher, *self.categories]))


def article_shape(name: str, tables: Sequence[SourceTable]) -> ArticleShape:
    """How the articles of a database lie.

    Raises:
        ImportRefused: it has no table of articles, or one that may not be read, or without a title and a text.
    """
    table = _table(tables, ("articles", "article"))
    if table is None:
        seen = ", ".join(sorted({table.name for table in tables})[:12]) or "none"
        raise ImportRefused(f"{name} has no table named articles. Its tables: {seen}.")
    if not table.is_readable or not table.columns:
        raise ImportRefused(f"{name} does not let this user read the table {table.schema}.{table.name}. Give it SELECT on that table.")
    fields = {field: _columns(table, (*aliases, *MORE.get(field, ()))) for field, aliases in ALIASES.items() if field not in _ELSEWHERE}
    fields["guid"] = _columns(table, _GUID)
    if not fields["title"] or not (fields["body"] or fields["summary"]):
        listed = ", ".join(table.columns)
        missing = "a title" if not fields["title"] else "a text (body, content, text)"
        raise ImportRefused(f"The table {table.schema}.{table.name} of {name} has no column for {missing}. Its columns: {listed[:300]}.")
    publishers, categories = _named(tables, ("publishers", "publisher")), _named(tables, ("categories", "category"))
    keys = [table.key[0]] if len(table.key) == 1 else [*_columns(table, ("id", "uuid", "articleid"))]
    own_key = keys[0] if keys else None
    join = _join(tables, table, categories)
    return ArticleShape(
        table=table,
        key=own_key,
        fields=fields,
        deleted=_columns(table, _DELETED),
        publisher=_refer(table, publishers, (*_PUBLISHER_KEYS, *_PUBLISHER_NAMES) if publishers else _PUBLISHER_NAMES, own_key),
        categories=_refer(table, categories, (*_CATEGORY_NAMES, *_CATEGORY_KEYS) if categories else _CATEGORY_NAMES, own_key),
        publishers=publishers,
        category_names=categories,
        joined=join,
    )


_ELSEWHERE = frozenset({"publisher", "categories", "guid"})


def priority_column(named: Named) -> str | None:
    """The column that says which publishers come first."""
    found = [name for name in _columns(named.table, _PRIORITY) if named.table.columns[name] == "boolean"]
    return found[0] if found else None


def article_column(table: SourceTable, articles: ArticleShape) -> str | None:
    """The column of another table that says which article a row is of."""
    declared = [column for column, (oid, to) in table.references.items() if oid == articles.table.oid and to == articles.key]
    usable = [column for column in declared if column in table.columns]
    return next(iter([*usable, *_columns(table, _ARTICLE_KEYS)]), None)


def column_of(table: SourceTable, names: Collection[str]) -> str | None:
    """The first column that is called one of ``names``."""
    return next(iter(_columns(table, names)), None)


def readable(tables: Sequence[SourceTable], names: Sequence[str]) -> list[SourceTable]:
    """The tables called ``names`` that may be read, in the order of the names; of one name the first."""
    found = (_table(tables, (name,)) for name in names)
    return [table for table in found if table is not None and table.is_readable and table.columns]


def _table(tables: Sequence[SourceTable], names: Sequence[str]) -> SourceTable | None:
    for name in names:
        exact = [table for table in tables if table.name == name]
        if found := exact or [table for table in tables if plain(table.name) == plain(name)]:
            return next((table for table in found if table.is_readable), found[0])
    return None


def _columns(table: SourceTable, names: Collection[str]) -> tuple[str, ...]:
    """The columns called ``names``, in the order of the names."""
    by_name: dict[str, list[str]] = {}
    for column in table.columns:
        by_name.setdefault(plain(column), []).append(column)
    return tuple(column for name in names for column in by_name.get(name, ()))


def _named(tables: Sequence[SourceTable], names: Sequence[str]) -> Named | None:
    table = _table(tables, names)
    if table is None or not table.is_readable:
        return None
    key = table.key[0] if len(table.key) == 1 else column_of(table, ("id", "uuid"))
    found = _columns(table, _NAMES)
    return Named(table, key, found) if found else None


def _refer(table: SourceTable, named: Named | None, names: Sequence[str], own_key: str | None) -> tuple[str, ...]:
    declared = [column for column, (oid, _) in table.references.items() if named and oid == named.table.oid and column in table.columns]
    return tuple(column for column in dict.fromkeys([*declared, *_columns(table, names)]) if column != own_key)


def _join(tables: Sequence[SourceTable], articles: SourceTable, categories: Named | None) -> Joined | None:
    for table in tables:
        if not table.is_readable or table.oid == articles.oid:
            continue
        to_article = [column for column, (oid, _) in table.references.items() if oid == articles.oid]
        to_category = [column for column, (oid, _) in table.references.items() if categories and oid == categories.table.oid]
        if not (to_article and to_category) and not _JOINS.fullmatch(plain(table.name)):
            continue
        article = next(iter([*to_article, *_columns(table, _ARTICLE_KEYS)]), None)
        category = next(iter([*to_category, *_columns(table, (*_CATEGORY_KEYS, *_CATEGORY_NAMES, "name"))]), None)
        if article in table.columns and category in table.columns:
            return Joined(table, str(article), str(category))
    return None
