DROP INDEX ledger_lines_organisation_id;
DROP INDEX ledger_lines_recorded;
CREATE INDEX ledger_lines_recorded ON ledger_lines (target_id, recorded_at);
CREATE INDEX ledger_lines_target ON ledger_lines (target_id, id);
