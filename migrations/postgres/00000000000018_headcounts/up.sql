-- Crowds that nobody registered: counted by one officer, agreed to by another; the pictures that show it; and what is audited of it.

-- What a picture is, taken when it comes: the digest of its content, and a number of 64 bits for what it looks like.
CREATE TABLE file_prints (
    file_id BYTEA NOT NULL PRIMARY KEY REFERENCES files (id),
    sha256 BYTEA NOT NULL,
    looks BIGINT
);

CREATE TABLE headcounts (
    id BYTEA NOT NULL PRIMARY KEY,
    session_id BYTEA NOT NULL REFERENCES sessions (id),
    number BIGINT NOT NULL CHECK (number >= 1),
    -- what an audit left of it: never more than was counted
    standing BIGINT NOT NULL CHECK (standing >= 0),
    method TEXT NOT NULL CHECK (method IN ('gate_counter', 'parcels', 'seats')),
    counter_before BIGINT,
    counter_after BIGINT,
    parcels BIGINT,
    seats BIGINT,
    share_percent BIGINT,
    minutes BIGINT NOT NULL,
    gates BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('proposed', 'approved', 'rejected', 'withdrawn', 'voided', 'refused')),
    -- codes of what cannot be, of one that was refused
    refused_because TEXT,
    counted_by BYTEA NOT NULL REFERENCES people (id),
    made_at TIMESTAMP NOT NULL,
    decided_at TIMESTAMP,
    version BIGINT NOT NULL,
    CHECK (standing <= number),
    CHECK ((state = 'refused') = (refused_because IS NOT NULL))
);
-- One that is being decided or counts, of a session.
CREATE UNIQUE INDEX headcounts_live ON headcounts (session_id) WHERE state IN ('proposed', 'approved');
CREATE INDEX headcounts_session_id ON headcounts (session_id, id);
CREATE INDEX headcounts_state ON headcounts (state, id);

-- Its pictures. What they look like stands here in four parts too, so that pictures that look alike are found by an index.
CREATE TABLE headcount_photos (
    file_id BYTEA NOT NULL PRIMARY KEY REFERENCES files (id),
    headcount_id BYTEA NOT NULL REFERENCES headcounts (id),
    session_id BYTEA NOT NULL REFERENCES sessions (id),
    sha256 BYTEA NOT NULL,
    looks BIGINT,
    band_0 BIGINT,
    band_1 BIGINT,
    band_2 BIGINT,
    band_3 BIGINT
);
CREATE INDEX headcount_photos_headcount_id ON headcount_photos (headcount_id);
CREATE INDEX headcount_photos_sha256 ON headcount_photos (sha256);
CREATE INDEX headcount_photos_band_0 ON headcount_photos (band_0);
CREATE INDEX headcount_photos_band_1 ON headcount_photos (band_1);
CREATE INDEX headcount_photos_band_2 ON headcount_photos (band_2);
CREATE INDEX headcount_photos_band_3 ON headcount_photos (band_3);

-- That a picture was shown for another session before.
CREATE TABLE headcount_flags (
    file_id BYTEA NOT NULL REFERENCES headcount_photos (file_id),
    other_file_id BYTEA NOT NULL REFERENCES headcount_photos (file_id),
    headcount_id BYTEA NOT NULL REFERENCES headcounts (id),
    other_session_id BYTEA NOT NULL REFERENCES sessions (id),
    kind TEXT NOT NULL CHECK (kind IN ('same', 'alike')),
    distance BIGINT NOT NULL,
    PRIMARY KEY (file_id, other_file_id)
);
CREATE INDEX headcount_flags_headcount_id ON headcount_flags (headcount_id);

-- Which headcounts of a street and a quarter are audited: the seed is promised by its hash, drawn with once, and published.
CREATE TABLE headcount_samples (
    id BYTEA NOT NULL PRIMARY KEY,
    organisation_id BYTEA NOT NULL REFERENCES organisations (id),
    quarter_from DATE NOT NULL,
    commitment TEXT NOT NULL,
    seed_sealed TEXT NOT NULL,
    made_by BYTEA NOT NULL REFERENCES people (id),
    made_at TIMESTAMP NOT NULL,
    drawn_by BYTEA REFERENCES people (id),
    drawn_at TIMESTAMP,
    seed TEXT,
    entries BIGINT,
    chosen BIGINT,
    digest TEXT,
    UNIQUE (organisation_id, quarter_from),
    CHECK ((drawn_at IS NULL) = (seed IS NULL))
);
CREATE TABLE headcount_sample_entries (
    sample_id BYTEA NOT NULL REFERENCES headcount_samples (id),
    rank BIGINT NOT NULL,
    headcount_id BYTEA NOT NULL REFERENCES headcounts (id),
    PRIMARY KEY (sample_id, rank)
);
CREATE INDEX headcount_sample_entries_headcount_id ON headcount_sample_entries (headcount_id);

-- What an auditor found of a headcount that was drawn.
CREATE TABLE headcount_findings (
    id BYTEA NOT NULL PRIMARY KEY,
    sample_id BYTEA NOT NULL REFERENCES headcount_samples (id),
    headcount_id BYTEA NOT NULL REFERENCES headcounts (id),
    found BIGINT NOT NULL CHECK (found >= 0),
    note TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('upheld', 'proposed', 'approved', 'rejected', 'withdrawn')),
    made_by BYTEA NOT NULL REFERENCES people (id),
    made_at TIMESTAMP NOT NULL,
    decided_at TIMESTAMP,
    version BIGINT NOT NULL
);
-- One that stands, of a headcount.
CREATE UNIQUE INDEX headcount_findings_live ON headcount_findings (headcount_id)
    WHERE state IN ('upheld', 'proposed', 'approved');
CREATE INDEX headcount_findings_sample_id ON headcount_findings (sample_id, id);
