-- Months are closed, and what the ledger knows of a line grows.

-- Sums by grade of evidence too: made anew from the lines.
DROP TABLE ledger_rollups;
CREATE TABLE ledger_rollups (
    target_id BYTEA NOT NULL REFERENCES targets (id),
    organisation_id BYTEA NOT NULL REFERENCES organisations (id),
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
