"""``signaldesk backup`` and ``restore`` on an embedded database, as a person types them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.elsewhere import elsewhere
from tests.pooler import pooler

CHECKOUT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def signaldesk(data_dir: Path, *arguments: str, answer: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SIGNALDESK_DATA_DIR": str(data_dir)} | more
    command = [sys.executable, "-m", "console.cli", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, input=answer, capture_output=True, text=True, timeout=120, check=False)


def test_a_desk_is_backed_up_and_restored_and_what_it_replaced_is_kept(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "desk.dump"
    samples = CHECKOUT / "core" / "samples" / "articles.jsonl"
    own = tmp_path / "own.jsonl"
    own.write_text(
        '{"id": "1", "title": "Own", "body": "A miner sold coins.", "publisher": "Wire", "published_on": "2026-11-20T10:00:00Z"}\n'
    )
    assert signaldesk(data, "import", str(own)).returncode == 0
    backed_up = signaldesk(data, "backup", str(file))
    assert (backed_up.returncode, backed_up.stdout.startswith(str(file))) == (0, True)
    assert signaldesk(data, "import", str(samples)).returncode == 0

    declined = signaldesk(data, "restore", str(file), answer="n\n")
    assert declined.returncode == 1
    assert "61 articles and what was found in them) is replaced" in declined.stderr
    restored = signaldesk(data, "restore", str(file), "--yes")
    assert (restored.returncode, restored.stdout.splitlines()[-1]) == (0, f"Restored {file}: 1 article.")
    (kept,) = (data / "backups").iterdir()
    assert signaldesk(data, "restore", str(kept), "--yes").stdout.splitlines()[-1].endswith(": 61 articles.")

    refused = signaldesk(data, "restore", str(own), "--yes")
    assert (refused.returncode, refused.stdout) == (9, "")
    assert "no backup of a Signal Desk" in refused.stderr


def test_a_desk_by_url_is_restored_by_the_same_command_behind_a_pooler_too_and_only_where_it_is_alone(
    server_url: str, tmp_path: Path
) -> None:
    data, file = tmp_path / "data", tmp_path / "desk.dump"
    with elsewhere(server_url) as servers:
        old, new = servers.make(), servers.make()
        assert signaldesk(data, "import", str(CHECKOUT / "core" / "samples" / "articles.jsonl"), DATABASE_URL=old).returncode == 0
        assert signaldesk(data, "backup", str(file), DATABASE_URL=old).returncode == 0
        with pooler(new) as pooled:
            refused = signaldesk(data, "restore", str(file), "--yes", DATABASE_URL=pooled)
            assert (refused.returncode, "DIRECT_DATABASE_URL" in refused.stderr) == (9, True)
            restored = signaldesk(data, "restore", str(file), "--yes", DATABASE_URL=pooled, DIRECT_DATABASE_URL=new)
        assert (restored.returncode, restored.stdout) == (0, f"Restored {file}: 60 articles.\n")
        assert servers.ask(new, "SELECT count(*) FROM articles") == [(60,)]
        servers.run(new, "CREATE TABLE subscribers (id int)")
        shared = signaldesk(data, "restore", str(file), "--yes", DATABASE_URL=new)
        assert (shared.returncode, shared.stdout) == (8, "")
        assert "holds more than the desk (subscribers)" in shared.stderr
