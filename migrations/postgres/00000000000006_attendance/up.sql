-- Who was there. Every scan is a row; attendance is once a person and session.

CREATE TABLE attendances (
    id BYTEA NOT NULL PRIMARY KEY,
    session_id BYTEA NOT NULL REFERENCES sessions (id),
    person_id BYTEA NOT NULL REFERENCES people (id),
    signup_id BYTEA NOT NULL REFERENCES signups (id),
    method TEXT NOT NULL CHECK (method IN ('staff_scan')),
    grade TEXT NOT NULL CHECK (grade IN ('A', 'B', 'C', 'D')),
    checked_in_at TIMESTAMP NOT NULL,
    checked_in_by BYTEA NOT NULL REFERENCES people (id),
    UNIQUE (session_id, person_id)
);
CREATE INDEX attendances_session_id ON attendances (session_id, id);
CREATE INDEX attendances_person_id ON attendances (person_id);

CREATE TABLE checkin_attempts (
    id BYTEA NOT NULL PRIMARY KEY,
    session_id BYTEA NOT NULL REFERENCES sessions (id),
    person_id BYTEA,
    operator_id BYTEA NOT NULL REFERENCES people (id),
    outcome TEXT NOT NULL,
    at TIMESTAMP NOT NULL
);
CREATE INDEX checkin_attempts_session_id ON checkin_attempts (session_id, at);
