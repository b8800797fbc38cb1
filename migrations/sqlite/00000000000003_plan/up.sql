-- The work plan, its rules of counting, and the ledger that counts.

CREATE TABLE plans (
    id BLOB NOT NULL PRIMARY KEY,
    year BIGINT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    preamble TEXT NOT NULL,
    starts_on DATE NOT NULL,
    ends_on DATE NOT NULL,
    -- days that count: the plan's own, or longer where a demonstration needs it
    counts_from DATE NOT NULL,
    counts_until DATE NOT NULL
);

CREATE TABLE plan_items (
    id BLOB NOT NULL PRIMARY KEY,
    plan_id BLOB NOT NULL REFERENCES plans (id),
    number BIGINT NOT NULL,
    section TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    -- JSON: codes of the lead departments
    leads TEXT NOT NULL,
    -- JSON: groups of participating units
    participants TEXT NOT NULL,
    UNIQUE (plan_id, number)
);

CREATE TABLE targets (
    id BLOB NOT NULL PRIMARY KEY,
    plan_id BLOB NOT NULL REFERENCES plans (id),
    item_id BLOB NOT NULL REFERENCES plan_items (id),
    code TEXT NOT NULL,
    clause TEXT NOT NULL,
    measure TEXT NOT NULL CHECK (measure IN ('sessions_held', 'activities_held', 'person_times', 'distinct_persons', 'cases_accepted', 'reported_count', 'rate')),
    comparator TEXT NOT NULL CHECK (comparator IN ('at_least', 'between')),
    value BIGINT NOT NULL,
    upper BIGINT,
    unit TEXT NOT NULL,
    each TEXT CHECK (each IN ('sub_district', 'station')),
    period TEXT NOT NULL CHECK (period IN ('year', 'quarter', 'month', 'year_end', 'always')),
    counted_from TEXT NOT NULL CHECK (counted_from IN ('attendance', 'cases', 'report')),
    -- the target that must be met together with this one
    pair TEXT,
    -- JSON: parts with a figure each
    parts TEXT NOT NULL,
    -- of "each station": the lowest level that counts
    min_level TEXT,
    -- the host must change from period to period
    rotates BOOLEAN NOT NULL,
    UNIQUE (plan_id, code)
);

CREATE TABLE milestones (
    id BLOB NOT NULL PRIMARY KEY,
    plan_id BLOB NOT NULL REFERENCES plans (id),
    item_id BLOB NOT NULL REFERENCES plan_items (id),
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    due_on DATE NOT NULL,
    done_at TIMESTAMP,
    done_by BLOB REFERENCES people (id),
    evidence TEXT,
    version BIGINT NOT NULL,
    UNIQUE (plan_id, code)
);

-- Which activities count for which target. An empty text means any.
CREATE TABLE counting_rules (
    id BLOB NOT NULL PRIMARY KEY,
    target_id BLOB NOT NULL REFERENCES targets (id),
    programme_kind TEXT NOT NULL,
    topic TEXT NOT NULL,
    audience TEXT NOT NULL,
    role TEXT NOT NULL,
    attribution TEXT NOT NULL CHECK (attribution IN ('organiser', 'venue', 'workplace')),
    UNIQUE (target_id, programme_kind, topic, audience, role)
);

-- Figures of the law and of policy, each with its source and the day it takes effect.
CREATE TABLE policies (
    policy_key TEXT NOT NULL,
    effective_from DATE NOT NULL,
    value TEXT NOT NULL,
    unit TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (policy_key, effective_from)
);

CREATE TABLE ledger_lines (
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
    reverses BLOB UNIQUE REFERENCES ledger_lines (id),
    source_kind TEXT NOT NULL CHECK (source_kind IN ('attendance', 'session', 'activity', 'headcount', 'case', 'report')),
    source_id BLOB NOT NULL,
    activity_id BLOB,
    grade TEXT NOT NULL CHECK (grade IN ('A', 'B', 'C', 'D')),
    reason TEXT,
    recorded_at TIMESTAMP NOT NULL,
    UNIQUE (target_id, dedup_key, generation, is_reversal)
);
CREATE INDEX ledger_lines_target ON ledger_lines (target_id, id);
CREATE INDEX ledger_lines_source ON ledger_lines (source_id);

CREATE TABLE ledger_rollups (
    target_id BLOB NOT NULL REFERENCES targets (id),
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    month DATE NOT NULL,
    quantity BIGINT NOT NULL,
    lines BIGINT NOT NULL,
    PRIMARY KEY (target_id, organisation_id, month)
);

-- The ledger is append-only, for the application's own role too.
CREATE TRIGGER ledger_lines_no_update BEFORE UPDATE ON ledger_lines
    BEGIN SELECT RAISE(ABORT, 'ledger lines are append-only: write a reversing line'); END;
CREATE TRIGGER ledger_lines_no_delete BEFORE DELETE ON ledger_lines
    BEGIN SELECT RAISE(ABORT, 'ledger lines are append-only: write a reversing line'); END;
