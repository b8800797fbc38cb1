-- What the older tables cannot say is said by what comes nearest: who has no place yet has none, a called-off activity is over.
CREATE TABLE activities_old (
    id BYTEA NOT NULL PRIMARY KEY,
    code TEXT UNIQUE,
    programme_id BYTEA NOT NULL REFERENCES programmes (id),
    -- who organises it
    organisation_id BYTEA NOT NULL REFERENCES organisations (id),
    -- the sub-district of the venue
    street_id BYTEA REFERENCES organisations (id),
    title TEXT NOT NULL,
    summary TEXT NOT NULL,
    venue TEXT NOT NULL,
    address TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'published', 'finished')),
    allocation TEXT NOT NULL CHECK (allocation IN ('first_come', 'review', 'draw')),
    capacity BIGINT NOT NULL CHECK (capacity > 0),
    taken BIGINT NOT NULL CHECK (taken >= 0 AND taken <= capacity),
    signup_opens_at TIMESTAMP NOT NULL,
    signup_closes_at TIMESTAMP NOT NULL,
    -- of its first and last session; equal to the sign-up window's end while it has none
    starts_at TIMESTAMP NOT NULL,
    ends_at TIMESTAMP NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    CHECK (signup_opens_at < signup_closes_at)
);
INSERT INTO activities_old
SELECT id, code, programme_id, organisation_id, street_id, title, summary, venue, address,
       CASE WHEN state IN ('draft', 'published', 'finished') THEN state
            WHEN state = 'cancelled' THEN 'finished' ELSE 'published' END,
       allocation, CASE WHEN taken > capacity THEN taken ELSE capacity END, taken, signup_opens_at, signup_closes_at,
       starts_at, ends_at, version, created_at, updated_at
FROM activities;

CREATE TABLE sessions_old (
    id BYTEA NOT NULL PRIMARY KEY,
    activity_id BYTEA NOT NULL REFERENCES activities_old (id),
    number BIGINT NOT NULL,
    starts_at TIMESTAMP NOT NULL,
    ends_at TIMESTAMP NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'finalised')),
    held BOOLEAN,
    present BIGINT NOT NULL,
    finalised_at TIMESTAMP,
    finalised_by BYTEA REFERENCES people (id),
    version BIGINT NOT NULL,
    UNIQUE (activity_id, number),
    CHECK (starts_at < ends_at)
);
INSERT INTO sessions_old
SELECT id, activity_id, number, starts_at, ends_at, CASE WHEN state = 'cancelled' THEN 'finalised' ELSE state END,
       CASE WHEN state = 'cancelled' THEN FALSE ELSE held END, present, finalised_at, finalised_by, version
FROM sessions;

CREATE TABLE signups_old (
    id BYTEA NOT NULL PRIMARY KEY,
    activity_id BYTEA NOT NULL REFERENCES activities_old (id),
    person_id BYTEA NOT NULL REFERENCES people (id),
    state TEXT NOT NULL CHECK (state IN ('confirmed', 'attended', 'cancelled')),
    created_at TIMESTAMP NOT NULL,
    cancelled_at TIMESTAMP,
    version BIGINT NOT NULL
);
INSERT INTO signups_old
SELECT id, activity_id, person_id, CASE WHEN state IN ('confirmed', 'attended') THEN state ELSE 'cancelled' END,
       created_at, cancelled_at, version
FROM signups;

CREATE TABLE attendances_old (
    id BYTEA NOT NULL PRIMARY KEY,
    session_id BYTEA NOT NULL REFERENCES sessions_old (id),
    person_id BYTEA NOT NULL REFERENCES people (id),
    signup_id BYTEA NOT NULL REFERENCES signups_old (id),
    method TEXT NOT NULL CHECK (method IN ('staff_scan')),
    grade TEXT NOT NULL CHECK (grade IN ('A', 'B', 'C', 'D')),
    checked_in_at TIMESTAMP NOT NULL,
    checked_in_by BYTEA NOT NULL REFERENCES people (id),
    UNIQUE (session_id, person_id)
);
INSERT INTO attendances_old
SELECT id, session_id, person_id, signup_id, method, grade, checked_in_at, checked_in_by
FROM attendances;

CREATE TABLE checkin_attempts_old (
    id BYTEA NOT NULL PRIMARY KEY,
    session_id BYTEA NOT NULL REFERENCES sessions_old (id),
    person_id BYTEA,
    operator_id BYTEA NOT NULL REFERENCES people (id),
    outcome TEXT NOT NULL,
    at TIMESTAMP NOT NULL
);
INSERT INTO checkin_attempts_old
SELECT id, session_id, person_id, operator_id, outcome, at
FROM checkin_attempts;

DROP TABLE checkin_attempts;
DROP TABLE attendances;
DROP TABLE signups;
DROP TABLE parties;
DROP TABLE quotas;
DROP TABLE attendance_roles;
DROP TABLE sessions;
DROP TABLE activities;

ALTER TABLE activities_old RENAME TO activities;
ALTER TABLE sessions_old RENAME TO sessions;
ALTER TABLE signups_old RENAME TO signups;
ALTER TABLE attendances_old RENAME TO attendances;
ALTER TABLE checkin_attempts_old RENAME TO checkin_attempts;

CREATE INDEX activities_list ON activities (state, starts_at, id);
CREATE INDEX activities_programme_id ON activities (programme_id);
CREATE INDEX sessions_starts_at ON sessions (starts_at);
CREATE UNIQUE INDEX signups_live ON signups (activity_id, person_id) WHERE state <> 'cancelled';
CREATE INDEX signups_person_id ON signups (person_id, id);
CREATE INDEX signups_activity_id ON signups (activity_id, id);
CREATE INDEX attendances_session_id ON attendances (session_id, id);
CREATE INDEX attendances_person_id ON attendances (person_id);
CREATE INDEX checkin_attempts_session_id ON checkin_attempts (session_id, at);
