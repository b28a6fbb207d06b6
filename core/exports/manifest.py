"""The manifest: what was exported, by which filter, when, by whom and with which configuration. It holds no secret."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Self

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.configuration import Configuration
from core.database import current_revision
from core.exports.rows import Export
from core.exports.tables import COLUMNS, Table
from core.models import Publisher
from core.settings import Settings
from core.signal_filter import Reviewed, SignalFilter


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says. ``file``, ``bytes`` and ``sha256`` are of the data file, and stand only beside it."""

    table: str
    format: str
    columns: tuple[str, ...]
    filter: dict[str, Any]
    filter_in_words: str
    count: int
    made_at: str
    made_by: str
    configuration: dict[str, Any]
    """What an analysis launched at that time would be made with."""
    configuration_hash: str
    revision: str | None
    """Of the database's schema."""
    version: str
    """Of Signal Desk."""
    file: str | None = None
    bytes: int | None = None
    sha256: str | None = None

    @classmethod
    def of(cls, session: Session, export: Export, settings: Settings, *, count: int, made_by: str, now: datetime) -> Self:
        """The manifest of an export that is about to be made."""
        chosen = _filter(session, export)
        configuration = Configuration.of(settings)
        return cls(
            table=export.table.value,
            format=export.format.value,
            columns=COLUMNS[export.table],
            filter=chosen,
            filter_in_words=in_words(chosen),
            count=count,
            made_at=now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            made_by=made_by,
            configuration=configuration.as_json(),
            configuration_hash=configuration.hash,
            revision=current_revision(session.connection()),
            version=version("signaldesk"),
        )

    def beside(self, file: str, size: int, sha256: str) -> Self:
        """The manifest of the file that was made."""
        return replace(self, file=file, bytes=size, sha256=sha256)

    def as_json(self) -> str:
        """What is written beside the data file, or into it."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None}, ensure_ascii=False, indent=2) + "\n"


def in_words(chosen: dict[str, Any]) -> str:
    """A filter for a reader: only what narrows, and the order."""
    labels = {"minimum_confidence": "confidence at least", "batch_id": "run", "article_id": "article"} | {
        "blind_share": "blind share",
        "without_samples": "without samples",
    }
    parts = [
        labels.get(name, name) + ("" if value is True else f" {', '.join(map(str, value)) if isinstance(value, list) else value}")
        for name, value in chosen.items()
        if value and value != Reviewed.ANY.value
    ]
    return "; ".join(parts) or "everything"


def _filter(session: Session, export: Export) -> dict[str, Any]:
    if export.table is not Table.SIGNALS:
        narrowed = {"batch_id": export.batch_id, "article_id": export.article_id}
        if export.table is Table.LEDGER:
            narrowed |= export.ledger.model_dump(mode="json", exclude_none=True)
        return narrowed
    chosen: SignalFilter = export.filter
    names = dict(session.execute(select(Publisher.id, Publisher.name).where(Publisher.id.in_(chosen.publishers))).all())
    return chosen.model_dump(mode="json") | {"publishers": [names.get(id_, f"#{id_}") for id_ in chosen.publishers]}
