-- A foreign key asks a question a row, and on PostgreSQL locks the row that it names. What is written at the door names a session and
-- sign-ups that its transaction holds already; and what its lines name is asked for once a statement there, beside whether their month is
-- closed. SQLite locks nothing for a foreign key, and keeps them.
ALTER TABLE attendances DROP CONSTRAINT attendances_new_session_id_fkey;
ALTER TABLE attendances DROP CONSTRAINT attendances_new_signup_id_fkey;
ALTER TABLE scans DROP CONSTRAINT scans_session_id_fkey;
ALTER TABLE ledger_lines DROP CONSTRAINT ledger_lines_new_target_id_fkey;
ALTER TABLE ledger_lines DROP CONSTRAINT ledger_lines_new_organisation_id_fkey;
CREATE FUNCTION ledger_line_names() RETURNS trigger AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM (SELECT DISTINCT target_id FROM fresh) AS named
               WHERE NOT EXISTS (SELECT 1 FROM targets WHERE targets.id = named.target_id)) THEN
        RAISE EXCEPTION 'a line names no target' USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM (SELECT DISTINCT organisation_id FROM fresh) AS named
               WHERE NOT EXISTS (SELECT 1 FROM organisations WHERE organisations.id = named.organisation_id)) THEN
        RAISE EXCEPTION 'a line names no organisation' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER ledger_lines_names AFTER INSERT ON ledger_lines
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_line_names();
