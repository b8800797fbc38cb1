-- A request that waits for the desk is a sign-up too: 'applied'. SQLite cannot change a CHECK, so the table is made anew, and
-- what hangs on its rows is set aside meanwhile. Sign-ups name people without a foreign key: checking one locks the person's row, which
-- on PostgreSQL writes to a page of a table of millions for each sign-up; and nobody is ever deleted from it.

CREATE TABLE signups_new (
    id BLOB NOT NULL PRIMARY KEY,
    activity_id BLOB NOT NULL REFERENCES activities (id),
    person_id BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('applied', 'entered', 'waiting', 'offered', 'confirmed', 'attended', 'cancelled')),
    ended_because TEXT,
    -- 1, 2, 3, … in the activity: the order of arrival
    number BIGINT NOT NULL,
    -- above others of the waiting list, or below; set by two officers, or by penalties
    priority BIGINT NOT NULL,
    role TEXT NOT NULL,
    -- the quota whose place is used or held
    quota_id BLOB REFERENCES quotas (id),
    party_id BLOB REFERENCES parties (id),
    -- staff who signed the person up, and why they might
    made_by BLOB REFERENCES people (id),
    basis TEXT,
    created_at TIMESTAMP NOT NULL,
    cancelled_at TIMESTAMP,
    version BIGINT NOT NULL,
    UNIQUE (activity_id, number)
);
INSERT INTO signups_new
SELECT id, activity_id, person_id, state, ended_because, number, priority, role, quota_id, party_id, made_by, basis, created_at,
       cancelled_at, version
FROM signups;

CREATE TABLE offers_kept AS SELECT * FROM offers;
DELETE FROM offers;
CREATE TABLE waiting_moves_kept AS SELECT * FROM waiting_moves;
DELETE FROM waiting_moves;
CREATE TABLE penalties_kept AS SELECT * FROM penalties;
DELETE FROM penalties;
CREATE TABLE attendances_kept AS SELECT * FROM attendances;
DELETE FROM attendances;

DROP TABLE signups;
ALTER TABLE signups_new RENAME TO signups;

INSERT INTO offers SELECT * FROM offers_kept;
DROP TABLE offers_kept;
INSERT INTO waiting_moves SELECT * FROM waiting_moves_kept;
DROP TABLE waiting_moves_kept;
INSERT INTO penalties SELECT * FROM penalties_kept;
DROP TABLE penalties_kept;
INSERT INTO attendances SELECT * FROM attendances_kept;
DROP TABLE attendances_kept;

CREATE UNIQUE INDEX signups_live ON signups (activity_id, person_id) WHERE state <> 'cancelled';
CREATE INDEX signups_person_id ON signups (person_id, id);
CREATE INDEX signups_activity_id ON signups (activity_id, id);
CREATE INDEX signups_waiting ON signups (activity_id, priority, number) WHERE state = 'waiting';
CREATE INDEX signups_party_id ON signups (party_id);
