-- What interventions proved, and in which order sites get a release.

ALTER TABLE plan ADD COLUMN wave_hours BIGINT NOT NULL DEFAULT 24;
ALTER TABLE plan ADD COLUMN urgent_hours BIGINT NOT NULL DEFAULT 1;
ALTER TABLE subscription ADD COLUMN canary TEXT NOT NULL DEFAULT '' CHECK (canary IN ('', 'willing', 'never'));

-- The environment of a site before an intervention that touched it.
CREATE TABLE environment (
    intervention BIGINT PRIMARY KEY REFERENCES intervention (id) ON DELETE CASCADE,
    body         TEXT   NOT NULL
);

CREATE TABLE evidence (
    intervention BIGINT NOT NULL REFERENCES environment (intervention) ON DELETE CASCADE,
    site         BIGINT NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    cms          TEXT   NOT NULL,
    component    TEXT   NOT NULL,
    from_version TEXT   NOT NULL,
    version      TEXT   NOT NULL,
    result       TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (intervention, component)
);

CREATE INDEX evidence_release ON evidence (cms, component, version);

CREATE TABLE rollout (
    cms       TEXT   NOT NULL,
    component TEXT   NOT NULL,
    version   TEXT   NOT NULL,
    security  BOOLEAN NOT NULL,
    began     BIGINT NOT NULL,
    held      BIGINT, -- the last failure for which it was held
    waves     TEXT   NOT NULL,
    PRIMARY KEY (cms, component, version)
);
