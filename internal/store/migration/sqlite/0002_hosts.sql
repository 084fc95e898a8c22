-- Hosts that are reached by SSH. A site without one is on this machine.
CREATE TABLE host (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    name    TEXT    NOT NULL UNIQUE,
    mark    TEXT    NOT NULL UNIQUE,
    sudo    BOOLEAN NOT NULL,
    way     TEXT    NOT NULL, -- where it is, what is passed through, and the keys expected there
    created BIGINT  NOT NULL
);

-- From here on site.root is the folder for sites of this machine, and
-- "@<host>:<folder>" for others: unique among all.
ALTER TABLE site ADD COLUMN host BIGINT REFERENCES host (id);
ALTER TABLE site ADD COLUMN shut BIGINT;
