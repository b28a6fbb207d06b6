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
from core.errors import NotPossible
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
    """Put a backup in place of everything in the embedded database. What was there is backed up first."""
    settings = load_settings()
    if settings.database_url is not None:
        raise NotPossible(
            "This restores the embedded database, and DATABASE_URL names another. Unset it, or use pg_restore on the server's own address:"
            " the file is one of pg_dump, in its custom format."
        )
    with Desk.open(settings) as desk:
        desk.transaction(lambda session: backups.refuse_if_at_work(session, utc_now()))
        backups.revision_of(file)  # before anybody is asked
        total, samples = desk.transaction(counts)
        if total > samples:
            if not yes:
                typer.confirm(
                    f"All that is there ({total:,} articles and what was found in them) is replaced. Go on?", abort=True, err=True
                )
            _back_up(desk, _kept(desk, "before-restore", utc_now()))
        backups.restore(desk.database, file, desk.environment.data_dir, by=local(desk.environment.user))
        total, _ = desk.transaction(counts)
    typer.echo(f"Restored {file}: {total:,} {'article' if total == 1 else 'articles'}.")


def _kept(desk: Desk, name: str, now: datetime) -> Path:
    folder = desk.environment.data_dir / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}-{now:%Y%m%d-%H%M%S}.dump"


def _back_up(desk: Desk, file: Path) -> None:
    with notes.status("Backing up …"):
        direct = desk.environment.direct_database_url
        straight = direct.get_secret_value() if direct else None
        written = backups.back_up(desk.database, file, by=local(desk.environment.user), direct=straight)
    typer.echo(f"{file} ({size(written)})")
