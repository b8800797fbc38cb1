-- Two accounts that are one human: one of them is kept, the other stands for it from then on. Nothing is moved, so that it can be undone.
CREATE TABLE person_merges (
    id BYTEA NOT NULL PRIMARY KEY,
    kept_id BYTEA NOT NULL REFERENCES people (id),
    merged_id BYTEA NOT NULL REFERENCES people (id),
    state TEXT NOT NULL CHECK (state IN ('proposed', 'refused', 'merged', 'parting', 'parted')),
    reason TEXT NOT NULL,
    -- whether the merged account could be used before
    was_enabled BOOLEAN NOT NULL,
    proposed_by BYTEA NOT NULL REFERENCES people (id),
    proposed_at TIMESTAMP NOT NULL,
    decided_by BYTEA REFERENCES people (id),
    decided_at TIMESTAMP,
    parting_reason TEXT,
    parting_by BYTEA REFERENCES people (id),
    parting_at TIMESTAMP,
    parted_by BYTEA REFERENCES people (id),
    parted_at TIMESTAMP,
    version BIGINT NOT NULL,
    CHECK (kept_id <> merged_id),
    CHECK (decided_by <> proposed_by),
    CHECK (parted_by <> parting_by),
    CHECK ((state = 'proposed') = (decided_by IS NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    CHECK ((state IN ('parting', 'parted')) = (parting_by IS NOT NULL)),
    CHECK ((parting_by IS NULL) = (parting_at IS NULL)),
    CHECK ((parting_by IS NULL) = (parting_reason IS NULL)),
    CHECK ((state = 'parted') = (parted_by IS NOT NULL)),
    CHECK ((parted_by IS NULL) = (parted_at IS NULL))
);
-- An account stands for one other at most.
CREATE UNIQUE INDEX person_merges_live ON person_merges (merged_id) WHERE state IN ('proposed', 'merged', 'parting');
CREATE INDEX person_merges_merged_id ON person_merges (merged_id, id);
CREATE INDEX person_merges_kept_id ON person_merges (kept_id, id);
