"""PgBouncer as it is deployed: a process of its own in front of a server, in transaction mode, with a pool that is small."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from tests.programs import program

POOL = 4
SETTINGS = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {pool}
max_client_conn = 300
query_wait_timeout = 60
logfile = {folder}/log
pidfile = {folder}/pid
{user}
"""


@contextmanager
def pooler(url: str, *, pool: int = POOL) -> Iterator[str]:
    """A pooler before the server of ``url``, with ``pool`` sessions a database; yields the same address through it."""
    pgbouncer, address = program("pgbouncer", package="pgbouncer"), make_url(url)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        own_port = one.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="signaldesk-pooler-") as name:
        folder = Path(name)
        as_root = os.geteuid() == 0  # as which it will not run
        if as_root:
            shutil.chown(folder, "nobody")
        (folder / "users").write_text(f'"{address.username}" "{address.password}"\n')
        values = {"host": address.host, "port": address.port, "own_port": own_port, "folder": folder, "pool": pool}
        (folder / "ini").write_text(SETTINGS.format(**values, user="user = nobody" if as_root else ""))
        process = subprocess.Popen([pgbouncer, "-q", str(folder / "ini")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        through = address.set(host="127.0.0.1", port=own_port).render_as_string(hide_password=False)
        try:
            _wait_until_it_answers(through, process, folder / "log")
            yield through
        finally:
            process.terminate()
            process.wait(20)


def _wait_until_it_answers(through: str, process: "subprocess.Popen[str]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(through, connect_timeout=5).close()
            return
        except psycopg.Error as error:
            said = log.read_text() if log.exists() else str(error)
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)
