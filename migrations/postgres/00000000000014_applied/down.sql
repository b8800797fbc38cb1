-- Whoever waited for the desk waits no more; and no desk was there to reject.
UPDATE signups
SET state = 'cancelled', ended_because = 'staff', cancelled_at = created_at, version = version + 1
WHERE state = 'applied';
UPDATE signups SET ended_because = 'staff' WHERE ended_because IN ('rejected', 'lapsed');

CREATE TABLE signups_old (
    id BYTEA NOT NULL PRIMARY KEY,
    activity_id BYTEA NOT NULL REFERENCES activities (id),
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
INSERT INTO signups_old
SELECT id, activity_id, person_id, state, ended_because, number, priority, role, quota_id, party_id, made_by, basis, created_at,
       cancelled_at, version
FROM signups;

CREATE TABLE offers_old (
    id BYTEA NOT NULL PRIMARY KEY,
    signup_id BYTEA NOT NULL REFERENCES signups_old (id),
    activity_id BYTEA NOT NULL REFERENCES activities (id),
    -- waiting: it was their turn; nomination: their union signed them up
    kind TEXT NOT NULL CHECK (kind IN ('waiting', 'nomination')),
    state TEXT NOT NULL CHECK (state IN ('open', 'accepted', 'refused', 'expired', 'withdrawn')),
    made_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    decided_at TIMESTAMP
);
INSERT INTO offers_old
SELECT id, signup_id, activity_id, kind, state, made_at, expires_at, decided_at
FROM offers;

CREATE TABLE waiting_moves_old (
    id BYTEA NOT NULL PRIMARY KEY,
    signup_id BYTEA NOT NULL REFERENCES signups_old (id),
    activity_id BYTEA NOT NULL REFERENCES activities (id),
    priority BIGINT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('proposed', 'approved', 'refused')),
    proposed_by BYTEA NOT NULL REFERENCES people (id),
    proposed_at TIMESTAMP NOT NULL,
    decided_by BYTEA REFERENCES people (id),
    decided_at TIMESTAMP,
    CHECK (decided_by <> proposed_by)
);
INSERT INTO waiting_moves_old
SELECT id, signup_id, activity_id, priority, reason, note, state, proposed_by, proposed_at, decided_by, decided_at
FROM waiting_moves;

CREATE TABLE penalties_old (
    id BYTEA NOT NULL PRIMARY KEY,
    person_id BYTEA NOT NULL REFERENCES people (id),
    signup_id BYTEA NOT NULL UNIQUE REFERENCES signups_old (id),
    kind TEXT NOT NULL CHECK (kind IN ('late_cancel', 'no_show')),
    weight BIGINT NOT NULL CHECK (weight > 0),
    -- contested: the person gave a reason that nobody has judged yet; it weighs nothing meanwhile
    state TEXT NOT NULL CHECK (state IN ('live', 'contested', 'waived', 'upheld')),
    given_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    ground TEXT CHECK (ground IN ('illness', 'duty', 'mistake', 'other')),
    claim_sealed TEXT,
    claimed_at TIMESTAMP,
    decided_by BYTEA REFERENCES people (id),
    decided_at TIMESTAMP,
    decision TEXT,
    version BIGINT NOT NULL
);
INSERT INTO penalties_old
SELECT id, person_id, signup_id, kind, weight, state, given_at, expires_at, ground, claim_sealed, claimed_at,
       decided_by, decided_at, decision, version
FROM penalties;

CREATE TABLE attendances_old (
    id BYTEA NOT NULL PRIMARY KEY,
    session_id BYTEA NOT NULL REFERENCES sessions (id),
    person_id BYTEA NOT NULL REFERENCES people (id),
    signup_id BYTEA NOT NULL REFERENCES signups_old (id),
    role TEXT NOT NULL,
    method TEXT NOT NULL CHECK (method IN ('staff_scan')),
    grade TEXT NOT NULL CHECK (grade IN ('A', 'B', 'C', 'D')),
    checked_in_at TIMESTAMP NOT NULL,
    checked_in_by BYTEA NOT NULL REFERENCES people (id),
    UNIQUE (session_id, person_id)
);
INSERT INTO attendances_old
SELECT id, session_id, person_id, signup_id, role, method, grade, checked_in_at, checked_in_by
FROM attendances;

DROP TABLE attendances;
DROP TABLE penalties;
DROP TABLE waiting_moves;
DROP TABLE offers;
DROP TABLE signups;

ALTER TABLE signups_old RENAME TO signups;
ALTER TABLE offers_old RENAME TO offers;
ALTER TABLE waiting_moves_old RENAME TO waiting_moves;
ALTER TABLE penalties_old RENAME TO penalties;
ALTER TABLE attendances_old RENAME TO attendances;

CREATE UNIQUE INDEX signups_live ON signups (activity_id, person_id) WHERE state <> 'cancelled';
CREATE INDEX signups_person_id ON signups (person_id, id);
CREATE INDEX signups_activity_id ON signups (activity_id, id);
CREATE INDEX signups_waiting ON signups (activity_id, priority, number) WHERE state = 'waiting';
CREATE INDEX signups_party_id ON signups (party_id);
CREATE UNIQUE INDEX offers_open ON offers (signup_id) WHERE state = 'open';
CREATE INDEX offers_expires_at ON offers (expires_at) WHERE state = 'open';
CREATE INDEX offers_activity_id ON offers (activity_id, id);
CREATE INDEX offers_signup_id ON offers (signup_id, id);
CREATE UNIQUE INDEX waiting_moves_open ON waiting_moves (signup_id) WHERE state = 'proposed';
CREATE INDEX waiting_moves_activity_id ON waiting_moves (activity_id, id);
CREATE INDEX penalties_person_id ON penalties (person_id, expires_at);
CREATE INDEX penalties_contested ON penalties (id) WHERE state = 'contested';
CREATE INDEX attendances_session_id ON attendances (session_id, id);
CREATE INDEX attendances_person_id ON attendances (person_id);
