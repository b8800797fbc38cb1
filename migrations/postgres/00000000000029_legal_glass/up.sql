-- Legal aid: cases opened by somebody who is not of their team, what applicant and team say to each other, consultations.

-- That somebody opened a case that is not theirs, for a while and with a reason.
CREATE TABLE legal_glass (
    id BYTEA NOT NULL PRIMARY KEY,
    case_id BYTEA NOT NULL REFERENCES legal_cases (id),
    person_id BYTEA NOT NULL REFERENCES people (id),
    reason TEXT NOT NULL CHECK (reason IN ('team_away', 'term_runs_out', 'danger', 'complaint', 'court', 'other')),
    -- in words
    text_sealed TEXT NOT NULL,
    opened_at TIMESTAMP NOT NULL,
    -- when it ends by itself
    ends_at TIMESTAMP NOT NULL,
    -- when it ended: earlier where it was closed
    ended_at TIMESTAMP,
    -- when the person whose case it is was told
    told_at TIMESTAMP,
    CHECK (ends_at > opened_at),
    CHECK (ended_at IS NULL OR ended_at <= ends_at)
);
CREATE UNIQUE INDEX legal_glass_live ON legal_glass (case_id, person_id) WHERE ended_at IS NULL;
CREATE INDEX legal_glass_person_id ON legal_glass (person_id, id);
CREATE INDEX legal_glass_ends_at ON legal_glass (ends_at) WHERE ended_at IS NULL;
CREATE INDEX legal_glass_untold ON legal_glass (opened_at) WHERE told_at IS NULL;

-- What applicant and team of a case say to each other.
CREATE TABLE legal_messages (
    id BYTEA NOT NULL PRIMARY KEY,
    case_id BYTEA NOT NULL REFERENCES legal_cases (id),
    author_id BYTEA NOT NULL REFERENCES people (id),
    voice TEXT NOT NULL CHECK (voice IN ('applicant', 'team')),
    text_sealed TEXT NOT NULL,
    sent_at TIMESTAMP NOT NULL,
    -- when the other side read it
    read_at TIMESTAMP
);
CREATE INDEX legal_messages_case_id ON legal_messages (case_id, id);
CREATE INDEX legal_messages_pace ON legal_messages (case_id, author_id, sent_at);

-- Advice that was given and is no case. Nobody who asked is named.
CREATE TABLE legal_consultations (
    id BYTEA NOT NULL PRIMARY KEY,
    organisation_id BYTEA NOT NULL REFERENCES organisations (id),
    held_on DATE NOT NULL,
    way TEXT NOT NULL CHECK (way IN ('visit', 'phone', 'online', 'event')),
    category TEXT NOT NULL CHECK (category IN ('labour_dispute', 'rights', 'union_worker', 'union_body', 'other')),
    -- how many people were advised
    quantity BIGINT NOT NULL CHECK (quantity >= 1),
    note_sealed TEXT,
    recorded_by BYTEA NOT NULL REFERENCES people (id),
    recorded_at TIMESTAMP NOT NULL,
    undone_at TIMESTAMP,
    CHECK (quantity = 1 OR way = 'event')
);
CREATE INDEX legal_consultations_organisation_id ON legal_consultations (organisation_id, id);
CREATE INDEX legal_consultations_held_on ON legal_consultations (held_on);
