-- Months are closed; what comes for them afterwards is held until it is restated; and a line says why it was written.

-- Months and quarters of a plan. The month's row is held by whoever counts for it, shared, and by whoever closes it, alone.
CREATE TABLE plan_periods (
    plan_id BLOB NOT NULL REFERENCES plans (id),
    kind TEXT NOT NULL CHECK (kind IN ('month', 'quarter')),
    starts_on DATE NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'proposed', 'hard')),
    proposed_by BLOB REFERENCES people (id),
    proposed_at TIMESTAMP,
    closed_by BLOB REFERENCES people (id),
    -- no line of the month was recorded later, but for restatements
    closed_at TIMESTAMP,
    version BIGINT NOT NULL,
    PRIMARY KEY (plan_id, kind, starts_on),
    CHECK (closed_by <> proposed_by),
    CHECK ((state = 'open') = (proposed_by IS NULL)),
    CHECK ((state = 'hard') = (closed_by IS NOT NULL)),
    CHECK ((state = 'hard') = (closed_at IS NOT NULL))
);

-- What a sub-district has said of its own part of a month.
CREATE TABLE plan_street_months (
    plan_id BLOB NOT NULL REFERENCES plans (id),
    month DATE NOT NULL,
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    state TEXT NOT NULL CHECK (state IN ('open', 'soft')),
    changed_by BLOB NOT NULL REFERENCES people (id),
    changed_at TIMESTAMP NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (plan_id, month, organisation_id)
);

CREATE TABLE restatements (
    id BLOB NOT NULL PRIMARY KEY,
    plan_id BLOB NOT NULL REFERENCES plans (id),
    month DATE NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('proposed', 'agreed', 'refused')),
    reason TEXT NOT NULL,
    evidence TEXT,
    proposed_by BLOB NOT NULL REFERENCES people (id),
    proposed_at TIMESTAMP NOT NULL,
    decided_by BLOB REFERENCES people (id),
    decided_at TIMESTAMP,
    version BIGINT NOT NULL,
    CHECK (decided_by <> proposed_by),
    CHECK ((state = 'proposed') = (decided_by IS NULL)),
    CHECK ((state = 'proposed') = (decided_at IS NULL))
);
-- One that waits, of a month.
CREATE UNIQUE INDEX restatements_live ON restatements (plan_id, month) WHERE state = 'proposed';
CREATE INDEX restatements_plan_id ON restatements (plan_id, month, id);

CREATE TABLE ledger_lines_new (
    id BLOB NOT NULL PRIMARY KEY,
    target_id BLOB NOT NULL REFERENCES targets (id),
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    day DATE NOT NULL,
    month DATE NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity <> 0),
    dedup_key TEXT NOT NULL,
    -- a key that was reversed may be counted again, as the next generation
    generation BIGINT NOT NULL,
    is_reversal BOOLEAN NOT NULL,
    reverses BLOB REFERENCES ledger_lines_new (id),
    source_kind TEXT NOT NULL CHECK (source_kind IN ('attendance', 'session', 'activity', 'headcount', 'case', 'report')),
    source_id BLOB NOT NULL,
    activity_id BLOB,
    grade TEXT NOT NULL CHECK (grade IN ('A', 'B', 'C', 'D')),
    reason TEXT,
    recorded_at TIMESTAMP NOT NULL,
    -- why it was written
    cause TEXT NOT NULL CHECK (cause IN ('new', 'late', 'undone', 'voided', 'conflict', 'recounted', 'write_down', 'report')),
    -- it came for a closed month
    restatement_id BLOB REFERENCES restatements (id),
    UNIQUE (target_id, dedup_key, generation, is_reversal)
);
INSERT INTO ledger_lines_new
SELECT id, target_id, organisation_id, day, month, quantity, dedup_key, generation, is_reversal, reverses, source_kind, source_id,
       activity_id, grade, reason, recorded_at,
       CASE WHEN is_reversal THEN 'undone' ELSE 'new' END, NULL
FROM ledger_lines;
DROP TABLE ledger_lines;
ALTER TABLE ledger_lines_new RENAME TO ledger_lines;
-- A line is taken back once. Most lines take nothing back, and are not in this key.
CREATE UNIQUE INDEX ledger_lines_reverses ON ledger_lines (reverses) WHERE reverses IS NOT NULL;
CREATE INDEX ledger_lines_target ON ledger_lines (target_id, id);
CREATE INDEX ledger_lines_source ON ledger_lines (source_id);
CREATE INDEX ledger_lines_recorded ON ledger_lines (target_id, recorded_at);
CREATE INDEX ledger_lines_restated ON ledger_lines (month, recorded_at) WHERE restatement_id IS NOT NULL;

-- What counting would have written for a closed month, or taken back from one. A restatement posts it.
CREATE TABLE held_corrections (
    id BLOB NOT NULL PRIMARY KEY,
    plan_id BLOB NOT NULL REFERENCES plans (id),
    -- the closed month that it waits for
    month DATE NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('post', 'reverse')),
    -- of a reversal: the line that it takes back
    line_id BLOB REFERENCES ledger_lines (id),
    target_id BLOB NOT NULL REFERENCES targets (id),
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    day DATE NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity <> 0),
    dedup_key TEXT NOT NULL,
    source_kind TEXT NOT NULL CHECK (source_kind IN ('attendance', 'session', 'activity', 'headcount', 'case', 'report')),
    source_id BLOB NOT NULL,
    activity_id BLOB,
    grade TEXT NOT NULL CHECK (grade IN ('A', 'B', 'C', 'D')),
    reason TEXT,
    cause TEXT NOT NULL CHECK (cause IN ('new', 'late', 'undone', 'voided', 'conflict', 'recounted', 'write_down', 'report')),
    held_at TIMESTAMP NOT NULL,
    -- cancelled: what came later answered it; dropped: it counted already when it was to be posted
    state TEXT NOT NULL CHECK (state IN ('held', 'posted', 'cancelled', 'dropped')),
    settled_at TIMESTAMP,
    restatement_id BLOB REFERENCES restatements (id),
    CHECK ((kind = 'reverse') = (line_id IS NOT NULL)),
    CHECK ((state = 'held') = (settled_at IS NULL))
);
-- Held once.
CREATE UNIQUE INDEX held_corrections_post ON held_corrections (target_id, dedup_key) WHERE kind = 'post' AND state = 'held';
CREATE UNIQUE INDEX held_corrections_reverse ON held_corrections (line_id) WHERE kind = 'reverse' AND state = 'held';
CREATE INDEX held_corrections_month ON held_corrections (plan_id, month, id);
CREATE INDEX held_corrections_source_id ON held_corrections (source_id);

-- Sums by grade of evidence too: made anew from the lines.
DROP TABLE ledger_rollups;
CREATE TABLE ledger_rollups (
    target_id BLOB NOT NULL REFERENCES targets (id),
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    month DATE NOT NULL,
    grade TEXT NOT NULL CHECK (grade IN ('A', 'B', 'C', 'D')),
    quantity BIGINT NOT NULL,
    lines BIGINT NOT NULL,
    PRIMARY KEY (target_id, organisation_id, month, grade)
);
INSERT INTO ledger_rollups
SELECT target_id, organisation_id, month, grade, sum(quantity), count(*)
FROM ledger_lines
GROUP BY target_id, organisation_id, month, grade;

-- The ledger is append-only, for the application's own role too.
CREATE TRIGGER ledger_lines_no_update BEFORE UPDATE ON ledger_lines
    BEGIN SELECT RAISE(ABORT, 'ledger lines are append-only: write a reversing line'); END;
CREATE TRIGGER ledger_lines_no_delete BEFORE DELETE ON ledger_lines
    BEGIN SELECT RAISE(ABORT, 'ledger lines are append-only: write a reversing line'); END;
CREATE TRIGGER ledger_lines_no_replace BEFORE INSERT ON ledger_lines
    -- INSERT OR REPLACE deletes without asking the trigger above. A known id is refused, and what breaks a unique key is passed over.
    WHEN EXISTS (SELECT 1 FROM ledger_lines WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'ledger lines are append-only: write a reversing line'); END;
CREATE TRIGGER ledger_lines_no_replace_of_key BEFORE INSERT ON ledger_lines
    WHEN EXISTS (SELECT 1 FROM ledger_lines WHERE target_id = NEW.target_id AND dedup_key = NEW.dedup_key
                 AND generation = NEW.generation AND is_reversal = NEW.is_reversal)
        OR EXISTS (SELECT 1 FROM ledger_lines WHERE reverses = NEW.reverses)
    BEGIN SELECT RAISE(IGNORE); END;
-- Nothing is written for a closed month but what a restatement, agreed to by a second officer, says.
CREATE TRIGGER ledger_lines_closed AFTER INSERT ON ledger_lines
    WHEN EXISTS (SELECT 1 FROM plan_periods JOIN targets ON targets.plan_id = plan_periods.plan_id
                 WHERE targets.id = NEW.target_id AND plan_periods.kind = 'month' AND plan_periods.starts_on = NEW.month
                 AND plan_periods.state = 'hard'
                 AND NOT EXISTS (SELECT 1 FROM restatements WHERE restatements.id = NEW.restatement_id
                                 AND restatements.plan_id = targets.plan_id AND restatements.state = 'agreed'))
    BEGIN SELECT RAISE(ABORT, 'the month is closed: a restatement that was agreed to is needed'); END;
-- What is closed stays closed, and what was decided stays decided.
CREATE TRIGGER plan_periods_closed BEFORE UPDATE ON plan_periods WHEN OLD.state = 'hard'
    BEGIN SELECT RAISE(ABORT, 'a closed period stays closed'); END;
CREATE TRIGGER plan_periods_no_delete BEFORE DELETE ON plan_periods WHEN OLD.state = 'hard'
    BEGIN SELECT RAISE(ABORT, 'a closed period stays closed'); END;
CREATE TRIGGER restatements_decided BEFORE UPDATE ON restatements WHEN OLD.state <> 'proposed'
    BEGIN SELECT RAISE(ABORT, 'a restatement that was decided stays so'); END;
CREATE TRIGGER restatements_no_delete BEFORE DELETE ON restatements
    BEGIN SELECT RAISE(ABORT, 'a restatement that was decided stays so'); END;
