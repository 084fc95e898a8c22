-- Times are microseconds since 1970 UTC, NULL for "not yet"; JSON is text.
-- Both are written the same way for PostgreSQL.

CREATE TABLE site (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    name    TEXT    NOT NULL UNIQUE,
    url     TEXT    NOT NULL,
    root    TEXT    NOT NULL UNIQUE,
    cms     TEXT    NOT NULL,
    policy  TEXT    NOT NULL,
    layout  BLOB, -- sealed by the caller: where things are, and the last known database credentials
    created BIGINT  NOT NULL
);

CREATE TABLE inventory (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    site   BIGINT NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    digest TEXT   NOT NULL, -- hex SHA-256 of the document without the instant it was taken
    taken  BIGINT NOT NULL, -- first seen so
    seen   BIGINT NOT NULL, -- last seen so
    body   TEXT   NOT NULL,
    CHECK (seen >= taken)
);

CREATE INDEX inventory_site ON inventory (site, id);

CREATE TABLE feed_answer (
    key  TEXT   PRIMARY KEY,
    etag TEXT   NOT NULL,
    at   BIGINT NOT NULL,
    body BLOB   NOT NULL
);

-- The permitted changes of state, the same list as upkeep.Transitions.
CREATE TABLE transition (
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    PRIMARY KEY (from_state, to_state)
);

INSERT INTO transition (from_state, to_state) VALUES
    ('applying',   'undoing'),
    ('applying',   'verifying'),
    ('concluding', 'cancelled'),
    ('concluding', 'done'),
    ('concluding', 'failed'),
    ('concluding', 'incident'),
    ('concluding', 'partial'),
    ('concluding', 'undone'),
    ('freezing',   'securing'),
    ('freezing',   'undoing'),
    ('incident',   'undoing'),
    ('planned',    'cancelled'),
    ('planned',    'failed'),
    ('planned',    'preparing'),
    ('preparing',  'cancelled'),
    ('preparing',  'failed'),
    ('preparing',  'freezing'),
    ('securing',   'applying'),
    ('securing',   'undoing'),
    ('thawing',    'concluding'),
    ('thawing',    'incident'),
    ('thawing',    'undoing'),
    ('undoing',    'applying'),
    ('undoing',    'incident'),
    ('undoing',    'thawing'),
    ('verifying',  'applying'),
    ('verifying',  'thawing'),
    ('verifying',  'undoing');

CREATE TABLE intervention (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    site      BIGINT NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    state     TEXT   NOT NULL,
    requester TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    started   BIGINT,
    ended     BIGINT,
    cancel_at BIGINT,
    body      TEXT   NOT NULL, -- all that is neither queried nor enforced
    CONSTRAINT state_known CHECK (state IN (
        'planned', 'preparing', 'freezing', 'securing', 'applying', 'verifying', 'undoing', 'thawing', 'concluding',
        'done', 'partial', 'undone', 'failed', 'cancelled', 'incident')),
    CONSTRAINT ended_when_it_ended CHECK (
        (ended IS NOT NULL) = (state IN ('done', 'partial', 'undone', 'failed', 'cancelled', 'incident')))
);

CREATE INDEX intervention_site ON intervention (site, id);
CREATE UNIQUE INDEX intervention_one_unended ON intervention (site) WHERE ended IS NULL;

CREATE TRIGGER intervention_begins_planned BEFORE INSERT ON intervention
WHEN NEW.state <> 'planned'
BEGIN
    SELECT RAISE(ABORT, 'an intervention begins planned');
END;

CREATE TRIGGER intervention_transition BEFORE UPDATE OF state ON intervention
WHEN NEW.state <> OLD.state
    AND NOT EXISTS (SELECT 1 FROM transition WHERE from_state = OLD.state AND to_state = NEW.state)
BEGIN
    SELECT RAISE(ABORT, 'no such transition');
END;

CREATE TABLE lease (
    key     TEXT   PRIMARY KEY,
    holder  TEXT   NOT NULL CHECK (holder <> ''),
    expires BIGINT NOT NULL
);

CREATE TABLE event (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    intervention BIGINT NOT NULL REFERENCES intervention (id) ON DELETE CASCADE,
    at           BIGINT NOT NULL,
    state        TEXT   NOT NULL,
    code         TEXT   NOT NULL,
    params       TEXT   NOT NULL
);

CREATE INDEX event_intervention ON event (intervention, id);

CREATE TABLE backup (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    site         BIGINT  NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    intervention BIGINT  REFERENCES intervention (id) ON DELETE SET NULL,
    moment       TEXT    NOT NULL CHECK (moment IN ('before', 'after', 'manual')),
    snapshot     TEXT    NOT NULL,
    taken        BIGINT  NOT NULL,
    frozen       BOOLEAN NOT NULL,
    complete     BOOLEAN NOT NULL,
    verified     BIGINT,
    files        BIGINT  NOT NULL,
    bytes        BIGINT  NOT NULL,
    added        BIGINT  NOT NULL,
    tables       BIGINT  NOT NULL,
    manifest     TEXT    NOT NULL,
    note         TEXT    NOT NULL,
    CONSTRAINT complete_has_snapshot CHECK (snapshot <> '' OR NOT complete)
);

CREATE INDEX backup_site ON backup (site, id);
CREATE UNIQUE INDEX backup_snapshot ON backup (site, snapshot) WHERE snapshot <> '';

CREATE TABLE task (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    site         BIGINT NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    intervention BIGINT REFERENCES intervention (id) ON DELETE SET NULL,
    component    TEXT   NOT NULL,
    code         TEXT   NOT NULL,
    params       TEXT   NOT NULL,
    created      BIGINT NOT NULL,
    closed       BIGINT
);

CREATE UNIQUE INDEX task_one_open ON task (site, component, code) WHERE closed IS NULL;

CREATE TABLE hold (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    site      BIGINT NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    component TEXT   NOT NULL,
    version   TEXT   NOT NULL,
    reason    TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    lifted    BIGINT
);

CREATE UNIQUE INDEX hold_one_current ON hold (site, component, version) WHERE lifted IS NULL;

CREATE TABLE secret (
    name   TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
);

-- The ledger outlives the sites it speaks of, hence no foreign key.
CREATE TABLE ledger (
    seq      BIGINT PRIMARY KEY,
    at       BIGINT NOT NULL,
    site     BIGINT,
    actor    TEXT   NOT NULL,
    kind     TEXT   NOT NULL,
    facts    TEXT   NOT NULL,
    previous TEXT   NOT NULL,
    hash     TEXT   NOT NULL
);

CREATE TRIGGER ledger_continues BEFORE INSERT ON ledger
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM ledger)
    OR NEW.previous <> coalesce((SELECT hash FROM ledger ORDER BY seq DESC LIMIT 1),
        '0000000000000000000000000000000000000000000000000000000000000000')
BEGIN
    SELECT RAISE(ABORT, 'not the next entry');
END;

CREATE TRIGGER ledger_is_not_changed BEFORE UPDATE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is not changed');
END;

CREATE TRIGGER ledger_is_not_shortened BEFORE DELETE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is not shortened');
END;
