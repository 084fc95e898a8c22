-- What decides when interventions begin.

CREATE TABLE plan (
    name           TEXT    PRIMARY KEY,
    title          TEXT    NOT NULL,
    extensions     BIGINT  NOT NULL, -- 0 is any number
    customised     BOOLEAN NOT NULL,
    cadence_days   BIGINT  NOT NULL,
    soak_days      BIGINT  NOT NULL,
    security_hours BIGINT  NOT NULL, -- 0 is no contractual delay
    insist         BOOLEAN NOT NULL
);

INSERT INTO plan (name, title, extensions, customised, cadence_days, soak_days, security_hours, insist) VALUES
    ('base',       'Base',       10, FALSE, 30, 7, 72, FALSE),
    ('avance',     'Avancé',     25, FALSE,  7, 3, 48, FALSE),
    ('sur-mesure', 'Sur mesure',  0, TRUE,   7, 3, 24, FALSE);

CREATE TABLE subscription (
    site    BIGINT PRIMARY KEY REFERENCES site (id) ON DELETE CASCADE,
    plan    TEXT   NOT NULL REFERENCES plan (name),
    client  TEXT   NOT NULL,
    consent TEXT   NOT NULL CHECK (consent IN ('', 'ordinary', 'all')),
    since   BIGINT NOT NULL
);

-- Local times are text, "2026-12-01T02:00"; lengths are microseconds.
CREATE TABLE time_window (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    scope   TEXT    NOT NULL CHECK (scope IN ('agency', 'plan', 'client', 'site')),
    subject TEXT    NOT NULL,
    site    BIGINT  REFERENCES site (id) ON DELETE CASCADE, -- when it is a site's
    closed  BOOLEAN NOT NULL,
    begins  TEXT    NOT NULL,
    length  BIGINT  NOT NULL,
    rule    TEXT    NOT NULL,
    zone    TEXT    NOT NULL,
    note    TEXT    NOT NULL
);

INSERT INTO time_window (scope, subject, closed, begins, length, rule, zone, note) VALUES
    ('plan', 'base',       FALSE, '2026-01-05T01:00', 18000000000, 'FREQ=WEEKLY;BYDAY=TU,WE,TH',    'Europe/Paris', ''),
    ('plan', 'avance',     FALSE, '2026-01-05T01:00', 18000000000, 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH', 'Europe/Paris', ''),
    ('plan', 'sur-mesure', FALSE, '2026-01-05T01:00', 18000000000, 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH', 'Europe/Paris', '');

-- When the fleet first knew of a release, and of it as a security update.
CREATE TABLE sighting (
    cms       TEXT   NOT NULL,
    component TEXT   NOT NULL,
    version   TEXT   NOT NULL,
    seen      BIGINT NOT NULL,
    flagged   BIGINT,
    PRIMARY KEY (cms, component, version)
);

CREATE TABLE approval (
    site      BIGINT NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    component TEXT   NOT NULL,
    version   TEXT   NOT NULL,
    actor     TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (site, component, version)
);

CREATE TABLE attempt (
    site     BIGINT PRIMARY KEY REFERENCES site (id) ON DELETE CASCADE,
    failures BIGINT NOT NULL,
    tried    BIGINT NOT NULL,
    why      TEXT   NOT NULL
);

CREATE TABLE fleet_hold (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    actor   TEXT    NOT NULL,
    because TEXT    NOT NULL,
    since   BIGINT  NOT NULL
);

CREATE TABLE release_hold (
    cms       TEXT   NOT NULL,
    component TEXT   NOT NULL,
    version   TEXT   NOT NULL, -- '' is every release
    actor     TEXT   NOT NULL,
    because   TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    PRIMARY KEY (cms, component, version)
);
