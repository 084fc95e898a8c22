-- What scans of hosts found. One that is a site's has the site's root as its
-- place.
CREATE TABLE application (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    host      BIGINT  REFERENCES host (id) ON DELETE CASCADE,
    place     TEXT    NOT NULL UNIQUE, -- as in site.root
    found     TEXT    NOT NULL,
    first     BIGINT  NOT NULL,
    last      BIGINT  NOT NULL,
    gone      BIGINT,
    dismissed TEXT    NOT NULL -- by whom, why and when; 'null' when it is not
);
