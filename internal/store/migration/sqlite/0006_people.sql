-- Who owns sites, who may sign in, and how they prove who they are.

CREATE TABLE client (
    name     TEXT   PRIMARY KEY,
    title    TEXT   NOT NULL,
    mail     TEXT   NOT NULL,
    language TEXT   NOT NULL,
    contacts TEXT   NOT NULL, -- JSON
    created  BIGINT NOT NULL
);

-- Until now a client was only a name that subscriptions share.
INSERT INTO client (name, title, mail, language, contacts, created)
    SELECT client, client, '', '', '[]', MIN(since) FROM subscription WHERE client <> '' GROUP BY client;

CREATE INDEX subscription_client ON subscription (client);

CREATE TABLE account (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    mail      TEXT    NOT NULL UNIQUE,
    name      TEXT    NOT NULL,
    role      TEXT    NOT NULL CHECK (role IN ('owner', 'operator', 'client', 'auditor')),
    client    TEXT    REFERENCES client (name),
    language  TEXT    NOT NULL,
    until     BIGINT,
    created   BIGINT  NOT NULL,
    disabled  BIGINT,
    signed_in BIGINT,
    password  TEXT    NOT NULL,           -- as argon2id writes it, '' is none
    code      BLOB,                       -- sealed
    pending   BLOB,                       -- sealed
    step      BIGINT  NOT NULL,
    CHECK (role <> 'client' OR client IS NOT NULL),
    CHECK (role IN ('client', 'auditor') OR client IS NULL),
    CHECK ((role = 'auditor') = (until IS NOT NULL))
);

CREATE TABLE recovery_code (
    account BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    hash    TEXT   NOT NULL,
    PRIMARY KEY (account, hash)
);

CREATE TABLE passkey (
    id      TEXT   PRIMARY KEY,
    account BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name    TEXT   NOT NULL,
    created BIGINT NOT NULL,
    used    BIGINT,
    record  BLOB   NOT NULL
);
CREATE INDEX passkey_account ON passkey (account);

CREATE TABLE session (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account BIGINT  NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    hash    TEXT    NOT NULL UNIQUE, -- of the token, which only the browser has
    proof   TEXT    NOT NULL,
    half    BOOLEAN NOT NULL,
    address TEXT    NOT NULL,
    agent   TEXT    NOT NULL,
    created BIGINT  NOT NULL,
    seen    BIGINT  NOT NULL,
    expires BIGINT  NOT NULL
);
CREATE INDEX session_account ON session (account);
CREATE INDEX session_expires ON session (expires);

CREATE TABLE link (
    hash    TEXT   PRIMARY KEY,
    account BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    expires BIGINT NOT NULL,
    used    BIGINT
);

CREATE TABLE challenge (
    hash    TEXT   PRIMARY KEY,
    record  BLOB   NOT NULL,
    expires BIGINT NOT NULL
);

CREATE TABLE tries (
    key      TEXT   PRIMARY KEY,
    failures BIGINT NOT NULL,
    last     BIGINT NOT NULL,
    until    BIGINT
);
