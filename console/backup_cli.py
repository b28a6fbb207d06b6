"""``signaldesk backup`` and ``signaldesk restore``."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from console.printing import notes
from console.words import size
from core import backups
from core.access import local
from core.articles import counts
from core.clock import utc_now
from core.configuration import Desk
from core.settings import load_settings


def backup(
    file: Annotated[Path | None, typer.Argument(help="Where to; without it, into the data directory, named for the time.")] = None,
) -> None:
    """Write the whole database into one file, while the desk is in use or not."""
    with Desk.open() as desk:
        _back_up(desk, file or _kept(desk, "backup", utc_now()))


def restore(
    file: Annotated[Path, typer.Argument(help="A file that 'signaldesk backup' wrote.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put a backup in place of everything in the desk's database. What was there is backed up first.

    A database of DATABASE_URL has to hold the desk alone; behind a pooler DIRECT_DATABASE_URL is needed, too.
    """
    settings = load_settings()
    with Desk.open(settings) as desk:
        desk.transaction(lambda session: backups.refuse_if_at_work(session, utc_now()))
        if settings.database_url is not None:
            desk.transaction(backups.refuse_if_shared)
        backups.revision_of(file)  # before anybody is asked
        total, samples = desk.transaction(counts)
        if total > samples:
            if not yes:
                typer.confirm(
                    f"All that is there ({total:,} articles and what was found in them) is replaced. Go on?", abort=True, err=True
                )
            _back_up(desk, _kept(desk, "before-restore", utc_now()))
        desk.environment.data_dir.mkdir(parents=True, exist_ok=True)
        by = local(desk.environment.user)
        backups.restore(desk.database, file, desk.environment.data_dir, by=by, direct=_direct(desk))
        total, _ = desk.transaction(counts)
    typer.echo(f"Restored {file}: {total:,} {'article' if total == 1 else 'articles'}.")


def _kept(desk: Desk, name: str, now: datetime) -> Path:
    folder = desk.environment.data_dir / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}-{now:%Y%m%d-%H%M%S}.dump"


def _back_up(desk: Desk, file: Path) -> None:
    with notes.status("Backing up …"):
        written = backups.back_up(desk.database, file, by=local(desk.environment.user), direct=_direct(desk))
    typer.echo(f"{file} ({size(written)})")


def _direct(desk: Desk) -> str | None:
    address = desk.environment.direct_database_url
    return address.get_secret_value() if address else None
