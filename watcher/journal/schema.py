"""The journal's tables, and how an older journal is brought up to date."""

import sqlite3

from watcher.errors import JournalTooNew

# Paths are BLOBs (os.fsencode), because a name on a microscope's disk need not be text. Times are seconds since 1970.
_FIRST = """
CREATE TABLE directory (
    id INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    path BLOB NOT NULL,
    dirty INTEGER NOT NULL DEFAULT 0,
    role TEXT,
    UNIQUE (root, path)
);
CREATE INDEX directory_dirty ON directory (root) WHERE dirty = 1;
CREATE TABLE file (
    directory INTEGER NOT NULL REFERENCES directory (id),
    name BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    identity TEXT NOT NULL,
    changed_at REAL NOT NULL,
    live INTEGER NOT NULL DEFAULT 1,
    set_id TEXT,
    claim TEXT,
    stale INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (directory, name)
) WITHOUT ROWID;
CREATE INDEX file_live ON file (directory) WHERE live = 1;
CREATE INDEX file_of_set ON file (set_id) WHERE set_id IS NOT NULL;
CREATE TABLE image_set (
    id TEXT PRIMARY KEY,
    root BLOB NOT NULL,
    folder BLOB NOT NULL,
    name TEXT NOT NULL,
    format TEXT NOT NULL,
    grouped_by TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    collection TEXT,
    claimed INTEGER NOT NULL DEFAULT 0,
    whole INTEGER,
    sound INTEGER,
    validated_by TEXT NOT NULL DEFAULT 'unchecked',
    completed_by TEXT NOT NULL DEFAULT '',
    problems TEXT NOT NULL DEFAULT '[]',
    remarks TEXT NOT NULL DEFAULT '[]',
    waits_for TEXT NOT NULL DEFAULT '[]',
    reason TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    retry_at REAL NOT NULL DEFAULT 0,
    first_seen REAL NOT NULL,
    last_change REAL NOT NULL,
    completed_at REAL,
    published_at REAL,
    supersedes TEXT,
    cleared INTEGER NOT NULL DEFAULT 0,
    embedded TEXT NOT NULL DEFAULT '{}',
    UNIQUE (root, folder, name, version)
);
CREATE INDEX image_set_state ON image_set (state, completed_at);
CREATE UNIQUE INDEX image_set_collection ON image_set (collection) WHERE collection IS NOT NULL;
CREATE TABLE member (
    set_id TEXT NOT NULL REFERENCES image_set (id),
    path BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    identity TEXT NOT NULL,
    target TEXT NOT NULL,
    sha256 TEXT,
    PRIMARY KEY (set_id, path)
) WITHOUT ROWID;
CREATE TABLE leftover (
    set_id TEXT NOT NULL REFERENCES image_set (id),
    target TEXT NOT NULL,
    PRIMARY KEY (set_id, target)
) WITHOUT ROWID;
CREATE TABLE history (
    set_id TEXT NOT NULL REFERENCES image_set (id),
    at REAL NOT NULL,
    state TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT ''
);
CREATE INDEX history_of_set ON history (set_id, at);
CREATE TABLE fact (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
"""

# Early delivery: what forgotten sets have left in the store, and where no set goes again.
_SECOND = """
CREATE TABLE withdrawal (
    collection TEXT PRIMARY KEY,
    set_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE abandoned (
    collection TEXT PRIMARY KEY,
    set_id TEXT NOT NULL,
    at REAL NOT NULL,
    why TEXT NOT NULL
) WITHOUT ROWID;
"""

# Who made the sets: sessions, what is known of each set, what was changed later, who was let in. And the hand-off: what
# other programs are still to be told, and what the agent of a set has answered.
_THIRD = """
ALTER TABLE image_set ADD COLUMN unseen_at REAL;
CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    request TEXT NOT NULL,
    operator TEXT NOT NULL,
    folder BLOB NOT NULL,
    started REAL NOT NULL,
    until REAL NOT NULL,
    ended_by TEXT NOT NULL DEFAULT ''
);
CREATE INDEX session_until ON session (until);
CREATE TABLE attribution (
    set_id TEXT PRIMARY KEY REFERENCES image_set (id),
    orders TEXT NOT NULL DEFAULT '[]',
    record TEXT,
    state TEXT,
    found INTEGER NOT NULL DEFAULT 0,
    amend_at REAL,
    revision INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX attribution_state ON attribution (state);
CREATE INDEX attribution_amend ON attribution (amend_at) WHERE amend_at IS NOT NULL;
CREATE TABLE audit (
    set_id TEXT NOT NULL REFERENCES image_set (id),
    at REAL NOT NULL,
    who TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT
);
CREATE INDEX audit_of_set ON audit (set_id, at);
CREATE TABLE granted (
    set_id TEXT NOT NULL REFERENCES image_set (id),
    who TEXT NOT NULL,
    level TEXT NOT NULL,
    problem TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (set_id, who)
) WITHOUT ROWID;
CREATE INDEX granted_not ON granted (set_id) WHERE problem <> '';
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    set_id TEXT NOT NULL REFERENCES image_set (id),
    sink TEXT NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    made_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    tried_at REAL,
    retry_at REAL NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '',
    refused INTEGER NOT NULL DEFAULT 0,
    accepted_at REAL,
    UNIQUE (id, sink)
);
CREATE INDEX event_waiting ON event (sink, tried_at, number) WHERE accepted_at IS NULL;
CREATE INDEX event_troubled ON event (sink, refused, tried_at) WHERE accepted_at IS NULL AND problem <> '';
CREATE INDEX event_before ON event (set_id, sink, number) WHERE accepted_at IS NULL;
CREATE INDEX event_accepted ON event (accepted_at) WHERE accepted_at IS NOT NULL;
CREATE TABLE handoff (
    set_id TEXT PRIMARY KEY REFERENCES image_set (id),
    agent TEXT NOT NULL,
    since REAL NOT NULL,
    look_at REAL,
    state TEXT NOT NULL DEFAULT 'requested',
    message TEXT NOT NULL DEFAULT '',
    results TEXT NOT NULL DEFAULT '[]'
) WITHOUT ROWID;
CREATE INDEX handoff_look ON handoff (look_at) WHERE look_at IS NOT NULL;
"""

# What is shown at a glance: how large a set is, which a person holds back, what happened lately.
_FOURTH = """
ALTER TABLE image_set ADD COLUMN on_hold TEXT NOT NULL DEFAULT '';
ALTER TABLE image_set ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image_set ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE image_set SET files = (SELECT count(*) FROM member WHERE set_id = image_set.id),
                     bytes = (SELECT coalesce(sum(size), 0) FROM member WHERE set_id = image_set.id);
CREATE INDEX image_set_changed ON image_set (last_change, id);
CREATE INDEX image_set_state_changed ON image_set (state, last_change, id);
CREATE INDEX image_set_published ON image_set (published_at) WHERE published_at IS NOT NULL;
CREATE INDEX history_at ON history (at, state);
CREATE INDEX attribution_problem ON attribution (set_id, problem) WHERE problem <> '';
CREATE INDEX handoff_state ON handoff (agent, state);
"""

# What people were told, and of which sets they are to hear that they are safe.
_FIFTH = """
CREATE TABLE notice (
    addressee TEXT NOT NULL,
    key TEXT NOT NULL,
    what TEXT NOT NULL,
    since REAL,
    urgent INTEGER NOT NULL,
    set_id TEXT NOT NULL,
    seen_at REAL NOT NULL,
    gone_at REAL,
    knows TEXT NOT NULL,
    alarmed INTEGER NOT NULL,
    PRIMARY KEY (addressee, key)
) WITHOUT ROWID;
CREATE TABLE addressee (
    name TEXT PRIMARY KEY,
    told_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE good_news (
    set_id TEXT NOT NULL REFERENCES image_set (id),
    addressee TEXT NOT NULL,
    at REAL NOT NULL,
    told_at REAL,
    PRIMARY KEY (set_id, addressee)
) WITHOUT ROWID;
CREATE INDEX good_news_waiting ON good_news (addressee, at) WHERE told_at IS NULL;
"""

# The local copy: where else each set is, what was looked at again, what was put aside and removed here.
_SIXTH = """
ALTER TABLE image_set ADD COLUMN replicas INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image_set ADD COLUMN fixity TEXT NOT NULL DEFAULT '';
CREATE TABLE copy (
    set_id TEXT NOT NULL REFERENCES image_set (id),
    name TEXT NOT NULL,
    collection TEXT,
    place TEXT NOT NULL DEFAULT '',
    claimed INTEGER NOT NULL DEFAULT 0,
    verified_at REAL,
    wanted INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL DEFAULT 0,
    retry_at REAL NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (set_id, name)
) WITHOUT ROWID;
CREATE INDEX copy_wanted ON copy (name, retry_at) WHERE wanted = 1;
CREATE TABLE copy_withdrawal (
    name TEXT NOT NULL,
    collection TEXT NOT NULL,
    set_id TEXT NOT NULL,
    PRIMARY KEY (name, collection)
) WITHOUT ROWID;
CREATE TABLE looked_at (
    set_id TEXT PRIMARY KEY REFERENCES image_set (id),
    at REAL NOT NULL,
    deep_at REAL,
    drift TEXT NOT NULL DEFAULT '[]',
    damaged TEXT NOT NULL DEFAULT '[]',
    since REAL,
    readers TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;
CREATE INDEX looked_at_drift ON looked_at (set_id) WHERE drift <> '[]';
CREATE TABLE put_aside (
    set_id TEXT PRIMARY KEY REFERENCES image_set (id),
    phase TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL NOT NULL,
    why TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX put_aside_phase ON put_aside (phase, since);
CREATE TABLE removal (
    number INTEGER PRIMARY KEY,
    set_id TEXT NOT NULL,
    path BLOB NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    copies TEXT NOT NULL,
    at REAL NOT NULL,
    signature TEXT NOT NULL
);
CREATE INDEX removal_of_set ON removal (set_id);
"""

#: Step n takes a journal of version n to version n + 1; a step that was released is never changed.
MIGRATIONS = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH)


def migrate(connection: sqlite3.Connection, path: object) -> None:
    """Bring the tables up to this program's version, all steps in one transaction. Raises JournalTooNew."""
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked again: another process may have done it while we waited for the right to write.
        version = _version(connection)
        if version > len(MIGRATIONS):
            raise JournalTooNew(f"{path}: it was written by a later version of irods-watcher (form {version})")
        for step in MIGRATIONS[version:]:
            for statement in step.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
