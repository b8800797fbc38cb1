-- Offers, held places, moves of quotas, penalties, and what a catalogue of thousands of sessions needs.

-- A place that is kept for one person for a time.
CREATE TABLE offers (
    id BLOB NOT NULL PRIMARY KEY,
    signup_id BLOB NOT NULL REFERENCES signups (id),
    activity_id BLOB NOT NULL REFERENCES activities (id),
    -- waiting: it was their turn; nomination: their union signed them up
    kind TEXT NOT NULL CHECK (kind IN ('waiting', 'nomination')),
    state TEXT NOT NULL CHECK (state IN ('open', 'accepted', 'refused', 'expired', 'withdrawn')),
    made_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    decided_at TIMESTAMP
);
CREATE UNIQUE INDEX offers_open ON offers (signup_id) WHERE state = 'open';
CREATE INDEX offers_expires_at ON offers (expires_at) WHERE state = 'open';
CREATE INDEX offers_activity_id ON offers (activity_id, id);
CREATE INDEX offers_signup_id ON offers (signup_id, id);

-- A change of the order of a waiting list: proposed by one officer, decided by another.
CREATE TABLE waiting_moves (
    id BLOB NOT NULL PRIMARY KEY,
    signup_id BLOB NOT NULL REFERENCES signups (id),
    activity_id BLOB NOT NULL REFERENCES activities (id),
    priority BIGINT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('proposed', 'approved', 'refused')),
    proposed_by BLOB NOT NULL REFERENCES people (id),
    proposed_at TIMESTAMP NOT NULL,
    decided_by BLOB REFERENCES people (id),
    decided_at TIMESTAMP,
    CHECK (decided_by <> proposed_by)
);
CREATE UNIQUE INDEX waiting_moves_open ON waiting_moves (signup_id) WHERE state = 'proposed';
CREATE INDEX waiting_moves_activity_id ON waiting_moves (activity_id, id);

-- Places that go from one quota to another: unused ones when their time has come, or from street to street by agreement.
CREATE TABLE quota_moves (
    id BLOB NOT NULL PRIMARY KEY,
    activity_id BLOB NOT NULL REFERENCES activities (id),
    from_id BLOB NOT NULL REFERENCES quotas (id),
    to_id BLOB NOT NULL REFERENCES quotas (id),
    kind TEXT NOT NULL CHECK (kind IN ('release', 'transfer')),
    places BIGINT NOT NULL CHECK (places > 0),
    state TEXT NOT NULL CHECK (state IN ('offered', 'done', 'refused', 'withdrawn')),
    reason TEXT NOT NULL,
    made_by BLOB REFERENCES people (id),
    made_at TIMESTAMP NOT NULL,
    decided_by BLOB REFERENCES people (id),
    decided_at TIMESTAMP,
    CHECK (from_id <> to_id)
);
CREATE INDEX quota_moves_activity_id ON quota_moves (activity_id, id);

-- When an activity's unused quotas are given on, and to whom.
CREATE TABLE quota_releases (
    activity_id BLOB NOT NULL PRIMARY KEY REFERENCES activities (id),
    release_at TIMESTAMP NOT NULL,
    release_to TEXT NOT NULL CHECK (release_to IN ('pool', 'pro_rata')),
    released_at TIMESTAMP
);
CREATE INDEX quota_releases_release_at ON quota_releases (release_at) WHERE released_at IS NULL;

-- The shuffle of those who came in the first minutes: the seed's hash is published beforehand, the seed afterwards.
CREATE TABLE fair_draws (
    activity_id BLOB NOT NULL PRIMARY KEY REFERENCES activities (id),
    commitment TEXT NOT NULL,
    seed_sealed TEXT NOT NULL,
    drawn_at TIMESTAMP,
    seed TEXT,
    -- sign-ups that were shuffled: those from this number on, in the order that came out
    first_number BIGINT,
    entries BIGINT,
    -- of the order that came out
    digest TEXT
);
CREATE INDEX fair_draws_open ON fair_draws (activity_id) WHERE drawn_at IS NULL;

-- Places that a union keeps for people whom it will name later.
CREATE TABLE place_holds (
    id BLOB NOT NULL PRIMARY KEY,
    activity_id BLOB NOT NULL REFERENCES activities (id),
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    quota_id BLOB REFERENCES quotas (id),
    places BIGINT NOT NULL CHECK (places > 0),
    -- not named yet
    unnamed BIGINT NOT NULL CHECK (unnamed >= 0),
    state TEXT NOT NULL CHECK (state IN ('open', 'named', 'released')),
    name_by TIMESTAMP NOT NULL,
    made_by BLOB NOT NULL REFERENCES people (id),
    made_at TIMESTAMP NOT NULL,
    version BIGINT NOT NULL,
    CHECK (unnamed <= places)
);
CREATE INDEX place_holds_activity_id ON place_holds (activity_id, id);
CREATE INDEX place_holds_name_by ON place_holds (name_by) WHERE state = 'open';

-- What a late cancellation or a no-show weighs.
CREATE TABLE penalties (
    id BLOB NOT NULL PRIMARY KEY,
    person_id BLOB NOT NULL REFERENCES people (id),
    signup_id BLOB NOT NULL UNIQUE REFERENCES signups (id),
    kind TEXT NOT NULL CHECK (kind IN ('late_cancel', 'no_show')),
    weight BIGINT NOT NULL CHECK (weight > 0),
    -- contested: the person gave a reason that nobody has judged yet; it weighs nothing meanwhile
    state TEXT NOT NULL CHECK (state IN ('live', 'contested', 'waived', 'upheld')),
    given_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    ground TEXT CHECK (ground IN ('illness', 'duty', 'mistake', 'other')),
    claim_sealed TEXT,
    claimed_at TIMESTAMP,
    decided_by BLOB REFERENCES people (id),
    decided_at TIMESTAMP,
    decision TEXT,
    version BIGINT NOT NULL
);
CREATE INDEX penalties_person_id ON penalties (person_id, expires_at);
CREATE INDEX penalties_contested ON penalties (id) WHERE state = 'contested';

-- Days on which penalties do not run.
CREATE TABLE penalty_pauses (
    from_day DATE NOT NULL PRIMARY KEY,
    until_day DATE NOT NULL,
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    CHECK (from_day <= until_day)
);

-- What somebody is, as far as quotas and waves go, and on what evidence.
CREATE TABLE person_audiences (
    person_id BLOB NOT NULL REFERENCES people (id),
    audience TEXT NOT NULL,
    basis TEXT NOT NULL,
    recorded_by BLOB NOT NULL REFERENCES people (id),
    recorded_at TIMESTAMP NOT NULL,
    PRIMARY KEY (person_id, audience)
);

-- Rooms and trainers, which can be in one place at a time.
CREATE TABLE resources (
    id BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('venue', 'trainer')),
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    -- people whom a room holds
    seats BIGINT CHECK (seats > 0),
    -- between two bookings
    margin_minutes BIGINT NOT NULL CHECK (margin_minutes >= 0),
    closed_at TIMESTAMP,
    version BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    UNIQUE (organisation_id, kind, name)
);
CREATE TABLE bookings (
    resource_id BLOB NOT NULL REFERENCES resources (id),
    session_id BLOB NOT NULL REFERENCES sessions (id),
    starts_at TIMESTAMP NOT NULL,
    ends_at TIMESTAMP NOT NULL,
    PRIMARY KEY (resource_id, session_id)
);
CREATE INDEX bookings_time ON bookings (resource_id, starts_at);
CREATE INDEX bookings_session_id ON bookings (session_id);

-- An activity as a pattern, with times counted from its first day.
CREATE TABLE activity_templates (
    id BLOB NOT NULL PRIMARY KEY,
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    made_by BLOB NOT NULL REFERENCES people (id),
    version BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    UNIQUE (organisation_id, name)
);

-- Rows of imported sheets, so that a sheet may be sent twice.
CREATE TABLE imported_rows (
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    row_key TEXT NOT NULL,
    digest BLOB NOT NULL,
    activity_id BLOB NOT NULL REFERENCES activities (id),
    imported_by BLOB NOT NULL REFERENCES people (id),
    imported_at TIMESTAMP NOT NULL,
    PRIMARY KEY (organisation_id, row_key)
);
