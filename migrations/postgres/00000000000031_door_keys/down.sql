DROP TRIGGER ledger_lines_names ON ledger_lines;
DROP FUNCTION ledger_line_names();
ALTER TABLE ledger_lines ADD CONSTRAINT ledger_lines_new_organisation_id_fkey
    FOREIGN KEY (organisation_id) REFERENCES organisations (id);
ALTER TABLE ledger_lines ADD CONSTRAINT ledger_lines_new_target_id_fkey FOREIGN KEY (target_id) REFERENCES targets (id);
ALTER TABLE scans ADD CONSTRAINT scans_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id);
ALTER TABLE attendances ADD CONSTRAINT attendances_new_signup_id_fkey FOREIGN KEY (signup_id) REFERENCES signups (id);
ALTER TABLE attendances ADD CONSTRAINT attendances_new_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id);
