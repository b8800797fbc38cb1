-- Figures that units report, what of the plan is divided among the sub-districts, and how targets are read.

-- The fixed list that a target covers; how the year is planned for it (JSON: twelve weights); which share of its evidence must be A or B.
ALTER TABLE targets ADD COLUMN coverage TEXT
    CHECK (coverage IN ('all_sub_districts', 'industry_unions', 'all_departments', 'direct_unions', 'direct_grassroots_unions'));
ALTER TABLE targets ADD COLUMN curve TEXT;
ALTER TABLE targets ADD COLUMN min_good_percent BIGINT CHECK (min_good_percent BETWEEN 1 AND 100);

-- What a unit says of a month. A figure is corrected, and taken back, by its next version only.
CREATE TABLE plan_reports (
    id BYTEA NOT NULL PRIMARY KEY,
    target_id BYTEA NOT NULL REFERENCES targets (id),
    organisation_id BYTEA NOT NULL REFERENCES organisations (id),
    -- its first day
    month DATE NOT NULL,
    -- versions of one figure, from 1
    number BIGINT NOT NULL CHECK (number >= 1),
    -- takes the figure back, and gives none
    withdraws BOOLEAN NOT NULL,
    value BIGINT CHECK (value >= 0),
    numerator BIGINT CHECK (numerator >= 0),
    denominator BIGINT CHECK (denominator >= 1),
    -- JSON: a figure for each part of the target
    parts TEXT NOT NULL,
    note TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('proposed', 'approved', 'superseded', 'rejected', 'withdrawn')),
    made_by BYTEA NOT NULL REFERENCES people (id),
    made_at TIMESTAMP NOT NULL,
    decided_at TIMESTAMP,
    UNIQUE (target_id, organisation_id, month, number),
    CHECK (numerator <= denominator)
);
-- One version of a figure counts.
CREATE UNIQUE INDEX plan_reports_current ON plan_reports (target_id, organisation_id, month) WHERE state = 'approved';
CREATE INDEX plan_reports_target ON plan_reports (target_id, id);
CREATE INDEX plan_reports_state ON plan_reports (state, month);

-- Which units of its target's list a report covers.
CREATE TABLE plan_report_units (
    report_id BYTEA NOT NULL REFERENCES plan_reports (id),
    organisation_id BYTEA NOT NULL REFERENCES organisations (id),
    PRIMARY KEY (report_id, organisation_id)
);

-- How a target is divided among the sub-districts: in force when all of them have agreed.
CREATE TABLE plan_cascades (
    id BYTEA NOT NULL PRIMARY KEY,
    target_id BYTEA NOT NULL REFERENCES targets (id),
    number BIGINT NOT NULL CHECK (number >= 1),
    reason TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('proposed', 'current', 'replaced')),
    made_by BYTEA NOT NULL REFERENCES people (id),
    made_at TIMESTAMP NOT NULL,
    in_force_at TIMESTAMP,
    replaced_at TIMESTAMP,
    version BIGINT NOT NULL,
    UNIQUE (target_id, number)
);
CREATE UNIQUE INDEX plan_cascades_current ON plan_cascades (target_id) WHERE state = 'current';
CREATE UNIQUE INDEX plan_cascades_proposed ON plan_cascades (target_id) WHERE state = 'proposed';

CREATE TABLE plan_shares (
    cascade_id BYTEA NOT NULL REFERENCES plan_cascades (id),
    organisation_id BYTEA NOT NULL REFERENCES organisations (id),
    value BIGINT NOT NULL CHECK (value >= 0),
    answer TEXT CHECK (answer IN ('agreed', 'objected')),
    reason TEXT,
    answered_by BYTEA REFERENCES people (id),
    answered_at TIMESTAMP,
    PRIMARY KEY (cascade_id, organisation_id),
    CHECK ((answer IS NULL) = (answered_by IS NULL))
);

-- What was reported is never edited.
CREATE FUNCTION plan_reports_stay() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'reported figures are not edited: report a new version';
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER plan_reports_no_edit
    BEFORE DELETE OR UPDATE OF id, target_id, organisation_id, month, number, withdraws, value, numerator, denominator, parts, note, made_by, made_at
    ON plan_reports
    FOR EACH ROW EXECUTE FUNCTION plan_reports_stay();
