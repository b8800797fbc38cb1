-- People whose personal data was erased: when, on whose word, and what the law keeps of them until which day. The row of a person stays,
-- empty, so that what was counted stays counted.
ALTER TABLE people ADD COLUMN erased_at TIMESTAMP;
CREATE INDEX people_erased ON people (id) WHERE erased_at IS NOT NULL;

CREATE TABLE erasures (
    person_id BYTEA NOT NULL PRIMARY KEY REFERENCES people (id),
    -- own: they asked for it themselves; officer: somebody did it for them, with a reason
    way TEXT NOT NULL CHECK (way IN ('own', 'officer')),
    asked_by BYTEA NOT NULL REFERENCES people (id),
    erased_at TIMESTAMP NOT NULL,
    -- JSON: how many rows of what
    removed TEXT NOT NULL
);

-- What is kept, under which policy, and until when; ended when it was erased in its turn.
CREATE TABLE erasure_kept (
    kind TEXT NOT NULL CHECK (kind IN ('legal_case', 'legal_member')),
    row_id BYTEA NOT NULL,
    person_id BYTEA NOT NULL REFERENCES erasures (person_id),
    -- its last day
    until_on DATE NOT NULL,
    policy TEXT NOT NULL,
    policy_from DATE NOT NULL,
    ended_at TIMESTAMP,
    PRIMARY KEY (kind, row_id)
);
CREATE INDEX erasure_kept_person_id ON erasure_kept (person_id);
CREATE INDEX erasure_kept_until_on ON erasure_kept (until_on) WHERE ended_at IS NULL;
