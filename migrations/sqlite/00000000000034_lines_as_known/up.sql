-- Lines are shown in the order in which they became known: all of a target, or those of one organisation. Every line that is written pays for
-- each index, so that the order of ids, which was the same one, has none of its own any more.
DROP INDEX ledger_lines_target;
DROP INDEX ledger_lines_recorded;
CREATE INDEX ledger_lines_recorded ON ledger_lines (target_id, recorded_at, id);
CREATE INDEX ledger_lines_organisation_id ON ledger_lines (target_id, organisation_id, recorded_at, id);
