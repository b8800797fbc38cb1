-- Who has completed an activity; sessions that are opened again; devices have one task.

-- From which share of an activity somebody has completed it. One without a rule is completed by nobody.
CREATE TABLE completion_rules (
    activity_id BYTEA NOT NULL PRIMARY KEY REFERENCES activities (id),
    share_of TEXT NOT NULL CHECK (share_of IN ('sessions', 'hours')),
    percent BIGINT NOT NULL CHECK (percent BETWEEN 1 AND 100)
);

-- Who has completed which activity. What is taken back stays as history, and stands again when it is true again. People are named
-- without a foreign key, as attendances name them.
CREATE TABLE completions (
    activity_id BYTEA NOT NULL REFERENCES activities (id),
    person_id BYTEA NOT NULL,
    completed_at TIMESTAMP NOT NULL,
    taken_back_at TIMESTAMP,
    PRIMARY KEY (activity_id, person_id)
);

-- When a finalised session was last opened again.
ALTER TABLE sessions ADD COLUMN reopened_at TIMESTAMP;

-- Since when a penalty for not coming is set aside, because a session was opened again; finalising decides anew.
ALTER TABLE penalties ADD COLUMN set_aside_at TIMESTAMP;

-- A screen shows the code with the login of who may check people in: no operation knows which device it is.
CREATE TABLE device_grants_new (
    device_id BYTEA NOT NULL REFERENCES devices (id),
    session_id BYTEA NOT NULL REFERENCES sessions (id),
    role TEXT NOT NULL CHECK (role = 'scan'),
    granted_by BYTEA NOT NULL REFERENCES people (id),
    granted_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP,
    PRIMARY KEY (device_id, session_id, role)
);
INSERT INTO device_grants_new SELECT * FROM device_grants WHERE role = 'scan';
DROP TABLE device_grants;
ALTER TABLE device_grants_new RENAME TO device_grants;
CREATE INDEX device_grants_session_id ON device_grants (session_id);
