-- What a worker can sign up for: programme, activity, session.

-- What programmes can be about; rules of counting go by it.
CREATE TABLE topics (
    code TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL
);

CREATE TABLE programmes (
    id BYTEA NOT NULL PRIMARY KEY,
    code TEXT UNIQUE,
    organisation_id BYTEA NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    summary TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('training', 'academic', 'legal_aid', 'convalescence', 'culture', 'care', 'lecture', 'exchange')),
    topic TEXT NOT NULL REFERENCES topics (code),
    audience TEXT NOT NULL CHECK (audience IN ('all', 'new_employment', 'model_worker', 'skilled_worker')),
    version BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX programmes_kind ON programmes (kind);

CREATE TABLE activities (
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
CREATE INDEX activities_list ON activities (state, starts_at, id);
CREATE INDEX activities_programme_id ON activities (programme_id);

CREATE TABLE sessions (
    id BYTEA NOT NULL PRIMARY KEY,
    activity_id BYTEA NOT NULL REFERENCES activities (id),
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
CREATE INDEX sessions_starts_at ON sessions (starts_at);
