-- Life cycles, quotas and the waiting list need more states and columns than the first tables had. The tables are
-- made anew, because the two engines change a CHECK in different ways.

CREATE TABLE activities_new (
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
    -- open, closed and running are told by the clock
    state TEXT NOT NULL CHECK (state IN ('draft', 'published', 'allocated', 'finished', 'cancelled', 'postponed')),
    state_reason TEXT,
    allocation TEXT NOT NULL CHECK (allocation IN ('first_come', 'review', 'draw')),
    -- people whom the room holds: the cap at the door
    capacity BIGINT NOT NULL CHECK (capacity > 0),
    -- places that are given: the capacity, or more where no-shows are expected
    bookable BIGINT NOT NULL,
    -- places that are used
    taken BIGINT NOT NULL CHECK (taken >= 0),
    -- places that are kept for somebody who has yet to answer
    held BIGINT NOT NULL CHECK (held >= 0),
    -- sign-ups so far, the ended ones too
    numbered BIGINT NOT NULL,
    -- whether quotas stand below the total
    split BOOLEAN NOT NULL,
    waiting_list TEXT NOT NULL CHECK (waiting_list IN ('none', 'strict', 'fill')),
    own_clash TEXT NOT NULL CHECK (own_clash IN ('warn', 'deny')),
    -- a place given back later than this before the start weighs on the next sign-up; the policy's when NULL
    free_cancel_hours BIGINT CHECK (free_cancel_hours >= 0),
    -- whoever signs up in the first minutes is shuffled; 0 for the order of arrival
    fair_minutes BIGINT NOT NULL CHECK (fair_minutes >= 0),
    -- JSON: who may sign up earlier than the others
    waves TEXT NOT NULL,
    signup_opens_at TIMESTAMP NOT NULL,
    signup_closes_at TIMESTAMP NOT NULL,
    -- of its first and last session; equal to the sign-up window's end while it has none
    starts_at TIMESTAMP NOT NULL,
    ends_at TIMESTAMP NOT NULL,
    -- when it was last given other dates: who signed up before may give the place back free of weight
    moved_at TIMESTAMP,
    version BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    CHECK (signup_opens_at < signup_closes_at),
    CHECK (bookable >= capacity),
    CHECK (taken + held <= bookable)
);
INSERT INTO activities_new
SELECT id, code, programme_id, organisation_id, street_id, title, summary, venue, address, state, NULL, allocation,
       capacity, capacity, taken, 0,
       (SELECT count(*) FROM signups WHERE signups.activity_id = activities.id), FALSE, 'none', 'warn', NULL, 0, '[]',
       signup_opens_at, signup_closes_at, starts_at, ends_at, NULL, version, created_at, updated_at
FROM activities;

CREATE TABLE sessions_new (
    id BYTEA NOT NULL PRIMARY KEY,
    activity_id BYTEA NOT NULL REFERENCES activities_new (id),
    number BIGINT NOT NULL,
    starts_at TIMESTAMP NOT NULL,
    ends_at TIMESTAMP NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'finalised', 'cancelled')),
    state_reason TEXT,
    held BOOLEAN,
    present BIGINT NOT NULL,
    finalised_at TIMESTAMP,
    finalised_by BYTEA REFERENCES people (id),
    version BIGINT NOT NULL,
    UNIQUE (activity_id, number),
    CHECK (starts_at < ends_at)
);
INSERT INTO sessions_new
SELECT id, activity_id, number, starts_at, ends_at, state, NULL, held, present, finalised_at, finalised_by, version
FROM sessions;

-- What a role in an activity means.
CREATE TABLE attendance_roles (
    code TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    takes_place BOOLEAN NOT NULL,
    counts BOOLEAN NOT NULL,
    earns_hours BOOLEAN NOT NULL
);
INSERT INTO attendance_roles (code, name, takes_place, counts, earns_hours) VALUES
    ('participant', '参加者', TRUE, TRUE, TRUE),
    ('companion', '随行人员', TRUE, FALSE, FALSE),
    ('expert', '劳模工匠', FALSE, TRUE, FALSE),
    ('gift', '慰问对象', TRUE, TRUE, FALSE),
    ('trainer', '讲师', FALSE, FALSE, TRUE),
    ('volunteer', '志愿者', FALSE, FALSE, TRUE),
    ('staff', '工作人员', FALSE, FALSE, FALSE),
    ('observer', '观摩人员', TRUE, FALSE, FALSE);

-- Quotas: places on a node of a tree below the activity's total.
CREATE TABLE quotas (
    id BYTEA NOT NULL PRIMARY KEY,
    activity_id BYTEA NOT NULL REFERENCES activities_new (id),
    parent_id BYTEA REFERENCES quotas (id),
    -- street and industry by organisation, audience by its name, and the pool for everybody
    kind TEXT NOT NULL CHECK (kind IN ('street', 'industry', 'audience', 'pool')),
    organisation_id BYTEA REFERENCES organisations (id),
    audience TEXT,
    rank BIGINT NOT NULL,
    capacity BIGINT NOT NULL CHECK (capacity >= 0),
    taken BIGINT NOT NULL CHECK (taken >= 0),
    held BIGINT NOT NULL CHECK (held >= 0),
    version BIGINT NOT NULL,
    CHECK (taken + held <= capacity)
);
CREATE INDEX quotas_activity_id ON quotas (activity_id, rank);
CREATE INDEX quotas_parent_id ON quotas (parent_id);

-- People who wait for places together.
CREATE TABLE parties (
    id BYTEA NOT NULL PRIMARY KEY,
    activity_id BYTEA NOT NULL REFERENCES activities_new (id),
    -- what a member tells the others
    code TEXT NOT NULL UNIQUE,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX parties_activity_id ON parties (activity_id);

CREATE TABLE signups_new (
    id BYTEA NOT NULL PRIMARY KEY,
    activity_id BYTEA NOT NULL REFERENCES activities_new (id),
    person_id BYTEA NOT NULL REFERENCES people (id),
    state TEXT NOT NULL CHECK (state IN ('entered', 'waiting', 'offered', 'confirmed', 'attended', 'cancelled')),
    ended_because TEXT,
    -- 1, 2, 3, … in the activity: the order of arrival
    number BIGINT NOT NULL,
    -- above others of the waiting list, or below; set by two officers, or by penalties
    priority BIGINT NOT NULL,
    role TEXT NOT NULL,
    -- the quota whose place is used or held
    quota_id BYTEA REFERENCES quotas (id),
    party_id BYTEA REFERENCES parties (id),
    -- staff who signed the person up, and why they might
    made_by BYTEA REFERENCES people (id),
    basis TEXT,
    created_at TIMESTAMP NOT NULL,
    cancelled_at TIMESTAMP,
    version BIGINT NOT NULL,
    UNIQUE (activity_id, number)
);
INSERT INTO signups_new
SELECT id, activity_id, person_id, state, CASE WHEN state = 'cancelled' THEN 'person' END,
       row_number() OVER (PARTITION BY activity_id ORDER BY id), 0, 'participant', NULL, NULL, NULL, NULL, created_at,
       cancelled_at, version
FROM signups;

CREATE TABLE attendances_new (
    id BYTEA NOT NULL PRIMARY KEY,
    session_id BYTEA NOT NULL REFERENCES sessions_new (id),
    person_id BYTEA NOT NULL REFERENCES people (id),
    signup_id BYTEA NOT NULL REFERENCES signups_new (id),
    role TEXT NOT NULL,
    method TEXT NOT NULL CHECK (method IN ('staff_scan')),
    grade TEXT NOT NULL CHECK (grade IN ('A', 'B', 'C', 'D')),
    checked_in_at TIMESTAMP NOT NULL,
    checked_in_by BYTEA NOT NULL REFERENCES people (id),
    UNIQUE (session_id, person_id)
);
INSERT INTO attendances_new
SELECT id, session_id, person_id, signup_id, 'participant', method, grade, checked_in_at, checked_in_by
FROM attendances;

CREATE TABLE checkin_attempts_new (
    id BYTEA NOT NULL PRIMARY KEY,
    session_id BYTEA NOT NULL REFERENCES sessions_new (id),
    person_id BYTEA,
    operator_id BYTEA NOT NULL REFERENCES people (id),
    outcome TEXT NOT NULL,
    at TIMESTAMP NOT NULL
);
INSERT INTO checkin_attempts_new
SELECT id, session_id, person_id, operator_id, outcome, at
FROM checkin_attempts;

DROP TABLE checkin_attempts;
DROP TABLE attendances;
DROP TABLE signups;
DROP TABLE sessions;
DROP TABLE activities;

ALTER TABLE activities_new RENAME TO activities;
ALTER TABLE sessions_new RENAME TO sessions;
ALTER TABLE signups_new RENAME TO signups;
ALTER TABLE attendances_new RENAME TO attendances;
ALTER TABLE checkin_attempts_new RENAME TO checkin_attempts;

CREATE INDEX activities_list ON activities (state, starts_at, id);
CREATE INDEX activities_programme_id ON activities (programme_id);
CREATE INDEX sessions_starts_at ON sessions (starts_at);
CREATE UNIQUE INDEX signups_live ON signups (activity_id, person_id) WHERE state <> 'cancelled';
CREATE INDEX signups_person_id ON signups (person_id, id);
CREATE INDEX signups_activity_id ON signups (activity_id, id);
CREATE INDEX signups_waiting ON signups (activity_id, priority, number) WHERE state = 'waiting';
CREATE INDEX signups_party_id ON signups (party_id);
CREATE INDEX attendances_session_id ON attendances (session_id, id);
CREATE INDEX attendances_person_id ON attendances (person_id);
CREATE INDEX checkin_attempts_session_id ON checkin_attempts (session_id, at);
