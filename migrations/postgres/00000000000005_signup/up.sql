-- A person's request for a place.

CREATE TABLE signups (
    id BYTEA NOT NULL PRIMARY KEY,
    activity_id BYTEA NOT NULL REFERENCES activities (id),
    person_id BYTEA NOT NULL REFERENCES people (id),
    state TEXT NOT NULL CHECK (state IN ('confirmed', 'attended', 'cancelled')),
    created_at TIMESTAMP NOT NULL,
    cancelled_at TIMESTAMP,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX signups_live ON signups (activity_id, person_id) WHERE state <> 'cancelled';
CREATE INDEX signups_person_id ON signups (person_id, id);
CREATE INDEX signups_activity_id ON signups (activity_id, id);
