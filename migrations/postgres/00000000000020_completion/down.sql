CREATE TABLE device_grants_old (
    device_id BYTEA NOT NULL REFERENCES devices (id),
    session_id BYTEA NOT NULL REFERENCES sessions (id),
    role TEXT NOT NULL CHECK (role IN ('scan', 'show_code')),
    granted_by BYTEA NOT NULL REFERENCES people (id),
    granted_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP,
    PRIMARY KEY (device_id, session_id, role)
);
INSERT INTO device_grants_old SELECT * FROM device_grants;
DROP TABLE device_grants;
ALTER TABLE device_grants_old RENAME TO device_grants;
CREATE INDEX device_grants_session_id ON device_grants (session_id);
ALTER TABLE penalties DROP COLUMN set_aside_at;
ALTER TABLE sessions DROP COLUMN reopened_at;
DROP TABLE completions;
DROP TABLE completion_rules;
