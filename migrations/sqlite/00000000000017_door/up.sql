-- The door: every way in, every scan as a row, devices that work without a signal, and what they cannot decide themselves.

-- A phone that scans without a signal. Its key follows from its id and a secret of the server: nothing to steal is kept here.
CREATE TABLE devices (
    id BLOB NOT NULL PRIMARY KEY,
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    enrolled_by BLOB NOT NULL REFERENCES people (id),
    enrolled_at TIMESTAMP NOT NULL,
    revoked_by BLOB REFERENCES people (id),
    revoked_at TIMESTAMP,
    version BIGINT NOT NULL,
    CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
);
CREATE INDEX devices_organisation_id ON devices (organisation_id, id);

-- What a device may do at which session.
CREATE TABLE device_grants (
    device_id BLOB NOT NULL REFERENCES devices (id),
    session_id BLOB NOT NULL REFERENCES sessions (id),
    role TEXT NOT NULL CHECK (role IN ('scan', 'show_code')),
    granted_by BLOB NOT NULL REFERENCES people (id),
    granted_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP,
    PRIMARY KEY (device_id, session_id, role)
);
CREATE INDEX device_grants_session_id ON device_grants (session_id);

-- Every scan, the refused and unknown too. Nothing of it is changed but what it came to. People are named without a foreign key, as
-- sign-ups name them.
CREATE TABLE scans (
    id BLOB NOT NULL PRIMARY KEY,
    session_id BLOB NOT NULL REFERENCES sessions (id),
    person_id BLOB,
    operator_id BLOB NOT NULL,
    device_id BLOB REFERENCES devices (id),
    direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
    method TEXT NOT NULL
        CHECK (method IN ('staff_scan', 'self_scan', 'spoken_code', 'roster', 'sheet', 'walk_in', 'visit')),
    outcome TEXT NOT NULL,
    -- as the pass proves, where the device's clock does not agree with it
    happened_at TIMESTAMP NOT NULL,
    received_at TIMESTAMP NOT NULL,
    -- how far from the venue; the position itself is never kept
    distance TEXT CHECK (distance IN ('inside', 'near', 'far')),
    -- a code that named nobody
    code_hash BLOB,
    -- what is wrong with it whatever comes later, and whether the device's clock does not agree with the pass
    refused TEXT,
    clock_off BOOLEAN NOT NULL DEFAULT FALSE,
    -- the device's own name of the scan, its place in the device's order, and what the device said
    client_id BLOB,
    client_seq BIGINT,
    digest BLOB,
    CHECK ((client_id IS NULL) = (device_id IS NULL)),
    CHECK ((client_id IS NULL) = (digest IS NULL)),
    CHECK ((client_id IS NULL) = (client_seq IS NULL))
);
CREATE UNIQUE INDEX scans_client ON scans (device_id, client_id, digest) WHERE client_id IS NOT NULL;
CREATE INDEX scans_session_id ON scans (session_id, person_id);
CREATE INDEX scans_device_seq ON scans (device_id, client_seq) WHERE client_id IS NOT NULL;
CREATE INDEX scans_person_id ON scans (person_id, session_id) WHERE client_id IS NOT NULL;
INSERT INTO scans (id, session_id, person_id, operator_id, direction, method, outcome, happened_at, received_at)
SELECT id, session_id, person_id, operator_id, 'in', 'staff_scan', outcome, at, at
FROM checkin_attempts;
DROP TABLE checkin_attempts;

CREATE TABLE attendances_new (
    id BLOB NOT NULL PRIMARY KEY,
    session_id BLOB NOT NULL REFERENCES sessions (id),
    person_id BLOB NOT NULL,
    -- none of a walk-in or a visit
    signup_id BLOB REFERENCES signups (id),
    role TEXT NOT NULL,
    method TEXT NOT NULL
        CHECK (method IN ('staff_scan', 'self_scan', 'spoken_code', 'roster', 'sheet', 'walk_in', 'visit')),
    grade TEXT NOT NULL CHECK (grade IN ('A', 'B', 'C', 'D')),
    checked_in_at TIMESTAMP NOT NULL,
    checked_in_by BLOB NOT NULL,
    left_at TIMESTAMP,
    -- the scan without a signal that says so; none of what was seen at once
    scan_id BLOB,
    -- it does not stand any more: undone, or a scan that came later said otherwise
    voided_at TIMESTAMP,
    voided_because TEXT CHECK (voided_because IN ('undone', 'conflict', 'rejected')),
    UNIQUE (session_id, person_id),
    CHECK ((voided_at IS NULL) = (voided_because IS NULL))
);
INSERT INTO attendances_new (id, session_id, person_id, signup_id, role, method, grade, checked_in_at, checked_in_by)
SELECT id, session_id, person_id, signup_id, role, method, grade, checked_in_at, checked_in_by
FROM attendances;
DROP TABLE attendances;
ALTER TABLE attendances_new RENAME TO attendances;
CREATE INDEX attendances_session_id ON attendances (session_id, id);
CREATE INDEX attendances_person_id ON attendances (person_id);

-- What a device could not decide: it counts when the desk says so.
CREATE TABLE checkin_conflicts (
    id BLOB NOT NULL PRIMARY KEY,
    session_id BLOB NOT NULL REFERENCES sessions (id),
    person_id BLOB NOT NULL,
    scan_id BLOB NOT NULL REFERENCES scans (id),
    reason TEXT NOT NULL CHECK (reason IN ('two_places', 'signup_cancelled', 'session_cancelled', 'full', 'clock')),
    proposed TEXT NOT NULL CHECK (proposed IN ('count', 'leave_out')),
    state TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'dissolved')),
    opened_at TIMESTAMP NOT NULL,
    decided_at TIMESTAMP,
    CHECK ((state = 'open') = (decided_at IS NULL))
);
-- One that is open or decided, of a person at a session; those that dissolved are history.
CREATE UNIQUE INDEX checkin_conflicts_live ON checkin_conflicts (session_id, person_id) WHERE state <> 'dissolved';

-- A signed sheet of paper, typed in by one officer and compared with the paper by another.
CREATE TABLE sheets (
    id BLOB NOT NULL PRIMARY KEY,
    session_id BLOB NOT NULL REFERENCES sessions (id),
    state TEXT NOT NULL CHECK (state IN ('typed', 'confirmed', 'refused')),
    typed_by BLOB NOT NULL REFERENCES people (id),
    typed_at TIMESTAMP NOT NULL,
    checked_by BLOB REFERENCES people (id),
    checked_at TIMESTAMP,
    note TEXT,
    version BIGINT NOT NULL,
    CHECK (checked_by <> typed_by),
    CHECK ((state = 'typed') = (checked_by IS NULL))
);
CREATE INDEX sheets_session_id ON sheets (session_id, id);
CREATE TABLE sheet_lines (
    sheet_id BLOB NOT NULL REFERENCES sheets (id),
    number BIGINT NOT NULL,
    person_id BLOB NOT NULL REFERENCES people (id),
    PRIMARY KEY (sheet_id, number),
    UNIQUE (sheet_id, person_id)
);

-- Somebody who had a reason not to come: no no-show.
CREATE TABLE excuses (
    session_id BLOB NOT NULL REFERENCES sessions (id),
    person_id BLOB NOT NULL REFERENCES people (id),
    ground TEXT NOT NULL CHECK (ground IN ('illness', 'duty', 'other')),
    note TEXT,
    recorded_by BLOB NOT NULL REFERENCES people (id),
    recorded_at TIMESTAMP NOT NULL,
    PRIMARY KEY (session_id, person_id)
);

-- Where a session takes place, for who wants to check in by themselves. Degrees times a million.
CREATE TABLE fences (
    session_id BLOB NOT NULL PRIMARY KEY REFERENCES sessions (id),
    latitude BIGINT NOT NULL CHECK (latitude BETWEEN -90000000 AND 90000000),
    longitude BIGINT NOT NULL CHECK (longitude BETWEEN -180000000 AND 180000000),
    metres BIGINT NOT NULL CHECK (metres BETWEEN 20 AND 5000),
    set_by BLOB NOT NULL REFERENCES people (id)
);
