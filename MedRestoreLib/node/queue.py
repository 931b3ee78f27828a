"""What a node has acknowledged and not yet delivered: a database on disk that outlives a kill and a power cut.

An instance is acknowledged when its file and its row are on the disk. A series is *receiving* until it is complete,
*due*, *working*, and then *done*, *failed* or *ignored*; a further instance makes it receiving again. Of a series that
is done, each derived file is one delivery to each destination, *waiting* until it is *sent* or *failed*.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .config import PATTERNS

_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    uid TEXT PRIMARY KEY, state TEXT NOT NULL, generation INTEGER NOT NULL, rule TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    changed REAL NOT NULL, message TEXT NOT NULL, modality TEXT, station TEXT, description TEXT, body_part TEXT
);
CREATE TABLE IF NOT EXISTS instances (
    uid TEXT PRIMARY KEY, series TEXT NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL, received REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS instances_of_series ON instances (series);
CREATE TABLE IF NOT EXISTS deliveries (
    file TEXT NOT NULL, destination TEXT NOT NULL, series TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    since REAL NOT NULL, next REAL NOT NULL, message TEXT NOT NULL, PRIMARY KEY (file, destination)
);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
ENDED = ("done", "failed", "ignored")


class Conflict(Exception):
    """Another instance of the same UID has been acknowledged before."""


@dataclass(frozen=True)
class Work:
    """A series to restore.

    Attributes:
        uid: Series Instance UID.
        generation: how many instances have come; more may come while it is restored.
        rule: the name of the rule that fits.
        attempts: how often it has been begun, this time included.
    """

    uid: str
    generation: int
    rule: str
    attempts: int


@dataclass(frozen=True)
class Delivery:
    """A file on its way; ``since`` is when it was first to go, ``attempts`` how often that has been tried."""

    file: Path
    destination: str
    attempts: int
    since: float


class Queue:
    """The database of a node, for any number of threads.

    Raises:
        sqlite3.DatabaseError: the file is no such database.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._lock = threading.RLock()
        where = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        self._database = sqlite3.connect(where, uri=True, check_same_thread=False, isolation_level=None, timeout=30)
        self._database.row_factory = sqlite3.Row
        if read_only:
            return
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def knows(self, uid: str, sha256: str) -> bool:
        """Whether this very instance has been acknowledged before.

        Raises:
            Conflict: one of the same UID and other content has.
        """
        with self._lock:
            row = self._database.execute("SELECT sha256 FROM instances WHERE uid = ?", (uid,)).fetchone()
        if row is not None and row["sha256"] != sha256:
            raise Conflict(uid)
        return row is not None

    def add(self, uid: str, series: str, file: Path, sha256: str, about: Mapping[str, str], rule: str) -> None:
        """An instance that lies on the disk, and what is known of its series; no rule: the series is ignored."""
        now = time.time()
        with self._transaction() as database:
            database.execute("INSERT INTO instances VALUES (?, ?, ?, ?, ?)", (uid, series, str(file), sha256, now))
            state = "receiving" if rule else "ignored"
            values = [about.get(name, "") for name in PATTERNS]
            database.execute(
                "INSERT INTO series VALUES (?, ?, 1, ?, 0, ?, '', ?, ?, ?, ?) ON CONFLICT (uid) DO UPDATE SET "
                "state = excluded.state, generation = generation + 1, attempts = 0, changed = excluded.changed",
                (series, state, rule, now, *values),
            )

    def complete(self, series: Iterable[str]) -> None:
        """These series are complete."""
        with self._transaction() as database:
            database.executemany(
                "UPDATE series SET state = 'due' WHERE uid = ? AND state = 'receiving'", ((uid,) for uid in series)
            )

    def begin(self, quiet_seconds: float) -> Work | None:
        """The series that is due longest, from now on being worked on; None where there is none."""
        with self._transaction() as database:
            row = database.execute(
                "SELECT * FROM series WHERE state = 'due' OR (state = 'receiving' AND changed <= ?) "
                "ORDER BY changed LIMIT 1",
                (time.time() - quiet_seconds,),
            ).fetchone()
            if row is None:
                return None
            database.execute(
                "UPDATE series SET state = 'working', attempts = attempts + 1 WHERE uid = ?", (row["uid"],)
            )
        return Work(row["uid"], row["generation"], row["rule"], row["attempts"] + 1)

    def finish(self, work: Work, files: Iterable[Path], destinations: Iterable[str], message: str = "") -> bool:
        """A series is restored, and these files go out; False where more of it has come meanwhile."""
        return self._end(work, "done", message, [(file, to) for file in files for to in destinations])

    def fail(self, work: Work, message: str) -> bool:
        """A series cannot be restored; False where more of it has come meanwhile."""
        return self._end(work, "failed", message, [])

    def _end(self, work: Work, state: str, message: str, going: list[tuple[Path, str]]) -> bool:
        now = time.time()
        with self._transaction() as database:
            ended = database.execute(
                "UPDATE series SET state = ?, message = ?, changed = ? WHERE uid = ? AND generation = ?",
                (state, message, now, work.uid, work.generation),
            )
            if not ended.rowcount:
                return False
            database.executemany(
                "INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, 'waiting', 0, ?, ?, '')",
                [(str(file), to, work.uid, now, now) for file, to in going],
            )
        return True

    def resume(self) -> None:
        """What was being worked on when the node was stopped is due again, behind the others."""
        with self._transaction() as database:
            database.execute("UPDATE series SET state = 'due', changed = ? WHERE state = 'working'", (time.time(),))

    def waiting(self, most: int = 500) -> list[Delivery]:
        """Deliveries that are to be tried now, of one destination."""
        with self._lock:
            rows = self._database.execute(
                "SELECT * FROM deliveries WHERE state = 'waiting' AND next <= ? "
                "ORDER BY destination, series, file LIMIT ?",
                (time.time(), most),
            ).fetchall()
        found = [Delivery(Path(row["file"]), row["destination"], row["attempts"], row["since"]) for row in rows]
        return [one for one in found if one.destination == found[0].destination]

    def sent(self, delivery: Delivery) -> None:
        """The destination has acknowledged it."""
        self._settle(delivery, "sent", 0.0, "")

    def postpone(self, delivery: Delivery, seconds: float, message: str) -> None:
        """It could not be delivered; try again after so long."""
        self._settle(delivery, "waiting", seconds, message)

    def give_up(self, delivery: Delivery, message: str) -> None:
        """It cannot be delivered."""
        self._settle(delivery, "failed", 0.0, message)

    def _settle(self, delivery: Delivery, state: str, seconds: float, message: str) -> None:
        with self._transaction() as database:
            database.execute(
                "UPDATE deliveries SET state = ?, attempts = attempts + 1, next = ?, message = ? "
                "WHERE file = ? AND destination = ?",
                (state, time.time() + seconds, message, str(delivery.file), delivery.destination),
            )

    def forget(self, hours: float) -> list[tuple[str, list[Path]]]:
        """Forget series that ended so long ago and have nothing waiting.

        Returns:
            Their UIDs and files, which may then be removed.
        """
        gone: list[tuple[str, list[Path]]] = []
        with self._transaction() as database:
            rows = database.execute(
                "SELECT uid FROM series WHERE state IN ('done', 'failed', 'ignored') AND changed <= ? AND NOT EXISTS "
                "(SELECT 1 FROM deliveries WHERE series = uid AND deliveries.state = 'waiting')",
                (time.time() - 3600 * hours,),
            ).fetchall()
            for (uid,) in rows:
                files = database.execute(
                    "SELECT file FROM instances WHERE series = ? UNION SELECT file FROM deliveries WHERE series = ?",
                    (uid, uid),
                ).fetchall()
                gone.append((uid, [Path(name) for (name,) in files]))
                for table, column in (("deliveries", "series"), ("instances", "series"), ("series", "uid")):
                    database.execute(f"DELETE FROM {table} WHERE {column} = ?", (uid,))
        return gone

    def files_of(self, series: str) -> list[Path]:
        """The files of a series."""
        with self._lock:
            rows = self._database.execute("SELECT file FROM instances WHERE series = ?", (series,)).fetchall()
        return [Path(name) for (name,) in rows]

    def known_files(self) -> set[Path]:
        """Every file of every instance."""
        with self._lock:
            return {Path(name) for (name,) in self._database.execute("SELECT file FROM instances")}

    def count(self, name: str, by: int = 1) -> None:
        """Raise a counter."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (name, by),
            )

    def figures(self) -> dict[str, dict[str, int]]:
        """Series and deliveries by state, and the counters."""
        with self._lock:
            by_state = {
                table: dict.fromkeys(states, 0)
                | dict(map(tuple, self._database.execute(f"SELECT state, count(*) FROM {table} GROUP BY state")))
                for table, states in (
                    ("series", ("receiving", "due", "working", *ENDED)),
                    ("deliveries", ("waiting", "sent", "failed")),
                )
            }
            counters = dict(map(tuple, self._database.execute("SELECT name, value FROM counters ORDER BY name")))
        return {**by_state, "counters": counters}

    def troubles(self, most: int = 20) -> list[tuple[str, str, str]]:
        """The last series that failed and deliveries that wait or failed: UID, state and why."""
        with self._lock:
            rows = self._database.execute(
                "SELECT uid, state, message, changed FROM series WHERE message != '' UNION ALL "
                "SELECT series, state || ' for ' || destination, message, next FROM deliveries WHERE message != '' "
                "AND state != 'sent' ORDER BY 4 DESC LIMIT ?",
                (most,),
            ).fetchall()
        return [(row[0], row[1], row[2]) for row in rows]
