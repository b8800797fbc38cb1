DROP TABLE ledger_rollups;
CREATE TABLE ledger_rollups (
    target_id BYTEA NOT NULL REFERENCES targets (id),
    organisation_id BYTEA NOT NULL REFERENCES organisations (id),
    month DATE NOT NULL,
    quantity BIGINT NOT NULL,
    lines BIGINT NOT NULL,
    PRIMARY KEY (target_id, organisation_id, month)
);
INSERT INTO ledger_rollups
SELECT target_id, organisation_id, month, sum(quantity), count(*)
FROM ledger_lines
GROUP BY target_id, organisation_id, month;
