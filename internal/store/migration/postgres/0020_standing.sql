-- What was last decided about a site, so that lists over all sites need not
-- decide. Everything in it follows from other records and from publishers.
CREATE TABLE standing (
    site       BIGINT  PRIMARY KEY REFERENCES site (id) ON DELETE CASCADE,
    at         BIGINT  NOT NULL, -- decided
    core       TEXT    NOT NULL,
    components BIGINT  NOT NULL,
    pending    BIGINT  NOT NULL, -- updates that are ready
    security   BIGINT  NOT NULL, -- of the pending
    held       BIGINT  NOT NULL,
    turn       BIGINT,           -- when the next intervention may begin
    deadline   BIGINT,           -- contractual
    offline    TEXT    NOT NULL, -- a publisher that did not answer, '' for none
    checked    BIGINT,           -- the oldest answer of a publisher that it rests on
    body       TEXT    NOT NULL  -- the decisions
);

CREATE INDEX standing_turn ON standing (turn) WHERE turn IS NOT NULL;
CREATE INDEX standing_deadline ON standing (deadline) WHERE deadline IS NOT NULL;

-- Interventions that went otherwise than they should, for the front page.
CREATE INDEX intervention_troubled ON intervention (id) WHERE state IN ('failed', 'undone', 'partial', 'incident');
CREATE INDEX intervention_ended ON intervention (ended) WHERE ended IS NOT NULL;
CREATE INDEX task_open ON task (created) WHERE closed IS NULL;
