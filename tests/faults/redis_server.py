"""A real Redis for tests and benchmarks."""

import socket
import subprocess
import time

import redis

from core.broker import QUEUE
from tests.programs import program


class RedisServer:
    """``redis-server`` on a free port of loopback, without persistence: what it held is gone when it is stopped."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(port=self.port)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        where = f"--port {self.port} --bind 127.0.0.1 --appendonly no --save"
        command = [program("redis-server", package="redis-server"), *where.split(), ""]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline, "Redis does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        """SIGKILL: no farewell, nothing kept."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
            self.process = None

    def tasks(self) -> int:
        """Tasks in the queue."""
        return int(self.client.llen(QUEUE))  # type: ignore[arg-type]

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False
