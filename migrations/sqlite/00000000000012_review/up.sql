-- The desk: requests that go through a chain of bodies, and what happens to them.

-- Chains as data, from seeds: one row a chain and effective day. A review keeps the version it was opened under.
CREATE TABLE review_chains (
    code TEXT NOT NULL,
    effective_from DATE NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    -- JSON: steps and form
    definition TEXT NOT NULL,
    PRIMARY KEY (code, effective_from)
);

-- Written reasons, with what they rest on.
CREATE TABLE review_reasons (
    code TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('reject', 'return')),
    text TEXT NOT NULL,
    basis TEXT NOT NULL
);

CREATE TABLE reviews (
    id BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    chain TEXT NOT NULL,
    chain_from DATE NOT NULL,
    subject_id BLOB NOT NULL,
    title TEXT NOT NULL,
    applicant_id BLOB NOT NULL REFERENCES people (id),
    -- where the applicant worked when it was made
    employer_id BLOB REFERENCES organisations (id),
    amount_fen BIGINT,
    state TEXT NOT NULL CHECK (state IN ('open', 'returned', 'approved', 'rejected', 'withdrawn', 'lapsed')),
    -- the number of the step it is at
    step BIGINT NOT NULL,
    form_sealed TEXT NOT NULL,
    -- JSON: the fields that were found missing
    missing TEXT NOT NULL,
    returns BIGINT NOT NULL,
    supplement_due_at TIMESTAMP,
    -- the review that this one appeals against, and the first of them
    appeal_of BLOB REFERENCES reviews (id),
    root_id BLOB NOT NULL REFERENCES reviews (id),
    opened_at TIMESTAMP NOT NULL,
    decided_at TIMESTAMP,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX reviews_live ON reviews (subject_id) WHERE state IN ('open', 'returned');
CREATE UNIQUE INDEX reviews_appeal_of ON reviews (appeal_of);
CREATE INDEX reviews_applicant_id ON reviews (applicant_id, id);
CREATE INDEX reviews_subject_id ON reviews (subject_id, id);
CREATE INDEX reviews_supplement_due_at ON reviews (supplement_due_at) WHERE state = 'returned';

CREATE TABLE review_stages (
    id BLOB NOT NULL PRIMARY KEY,
    review_id BLOB NOT NULL REFERENCES reviews (id),
    root_id BLOB NOT NULL REFERENCES reviews (id),
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    body_id BLOB NOT NULL REFERENCES organisations (id),
    -- where it would have been decided, had the body somebody who may
    rerouted_from BLOB REFERENCES organisations (id),
    employer_barred BOOLEAN NOT NULL,
    clock TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'open', 'approved', 'rejected', 'skipped', 'ended')),
    skipped_because TEXT,
    applicant_id BLOB NOT NULL REFERENCES people (id),
    opened_at TIMESTAMP,
    due_at TIMESTAMP,
    amber_at TIMESTAMP,
    -- JSON: how the due time was found
    trail TEXT,
    warned_at TIMESTAMP,
    -- a fact that stays
    breached_at TIMESTAMP,
    claimed_by BLOB REFERENCES people (id),
    -- none for an assignment, which does not lapse
    claimed_until TIMESTAMP,
    decided_by BLOB REFERENCES people (id),
    on_behalf_of BLOB REFERENCES people (id),
    decided_at TIMESTAMP,
    CHECK (decided_by <> applicant_id),
    CHECK (on_behalf_of <> applicant_id),
    CHECK ((decided_by IS NULL) = (state IN ('pending', 'open', 'skipped', 'ended')))
);
-- Nobody decides twice about one request, nor an appeal against what they decided.
CREATE UNIQUE INDEX review_stages_decided_by ON review_stages (root_id, decided_by);
CREATE UNIQUE INDEX review_stages_on_behalf_of ON review_stages (root_id, on_behalf_of);
CREATE INDEX review_stages_review_id ON review_stages (review_id, number, id);
CREATE INDEX review_stages_due_at ON review_stages (due_at) WHERE state = 'open' AND breached_at IS NULL;
CREATE INDEX review_stages_amber_at ON review_stages (amber_at) WHERE state = 'open' AND warned_at IS NULL;
CREATE INDEX review_stages_claimed_until ON review_stages (claimed_until)
    WHERE state = 'open' AND claimed_until IS NOT NULL;

-- The queue of every organisation: what waits at it or anywhere below it.
CREATE TABLE review_queue (
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    stage_id BLOB NOT NULL REFERENCES review_stages (id),
    review_id BLOB NOT NULL REFERENCES reviews (id),
    -- whether this organisation is the body itself
    own BOOLEAN NOT NULL,
    waits TEXT NOT NULL CHECK (waits IN ('desk', 'applicant')),
    kind TEXT NOT NULL,
    claimed_by BLOB,
    amber_at TIMESTAMP NOT NULL,
    due_at TIMESTAMP NOT NULL,
    PRIMARY KEY (organisation_id, stage_id)
);
CREATE INDEX review_queue_due ON review_queue (organisation_id, waits, due_at, stage_id, amber_at, own);
CREATE INDEX review_queue_kind ON review_queue (organisation_id, waits, kind, due_at, stage_id, amber_at);
CREATE INDEX review_queue_own ON review_queue (organisation_id, waits, own, due_at, stage_id, amber_at);
CREATE INDEX review_queue_claimed ON review_queue (organisation_id, waits, claimed_by, due_at, stage_id);
CREATE INDEX review_queue_review_id ON review_queue (review_id);
CREATE INDEX review_queue_stage_id ON review_queue (stage_id);

-- Times in which the clock stands: the applicant is asked for what is missing.
CREATE TABLE review_pauses (
    review_id BLOB NOT NULL REFERENCES reviews (id),
    from_at TIMESTAMP NOT NULL,
    until_at TIMESTAMP,
    PRIMARY KEY (review_id, from_at)
);
CREATE UNIQUE INDEX review_pauses_open ON review_pauses (review_id) WHERE until_at IS NULL;

-- What happened, in order; nothing of it is changed.
CREATE TABLE review_events (
    id BLOB NOT NULL PRIMARY KEY,
    review_id BLOB NOT NULL REFERENCES reviews (id),
    -- their order, under the lock of the review
    number BIGINT NOT NULL,
    stage_id BLOB REFERENCES review_stages (id),
    kind TEXT NOT NULL,
    actor_id BLOB REFERENCES people (id),
    on_behalf_of BLOB REFERENCES people (id),
    -- JSON: codes of the catalogue of reasons
    reasons TEXT NOT NULL,
    text_sealed TEXT,
    at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX review_events_number ON review_events (review_id, number);

-- A second return for supplement: asked for by one officer, allowed by another.
CREATE TABLE review_leaves (
    id BLOB NOT NULL PRIMARY KEY,
    review_id BLOB NOT NULL REFERENCES reviews (id),
    stage_id BLOB NOT NULL REFERENCES review_stages (id),
    reason TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('asked', 'granted', 'refused', 'used')),
    asked_by BLOB NOT NULL REFERENCES people (id),
    asked_at TIMESTAMP NOT NULL,
    decided_by BLOB REFERENCES people (id),
    decided_at TIMESTAMP,
    CHECK (decided_by <> asked_by),
    CHECK (state = 'asked' OR decided_by IS NOT NULL)
);
CREATE UNIQUE INDEX review_leaves_live ON review_leaves (stage_id) WHERE state IN ('asked', 'granted');
CREATE INDEX review_leaves_review_id ON review_leaves (review_id);

-- Who may decide in somebody's stead, for a time.
CREATE TABLE review_delegations (
    id BLOB NOT NULL PRIMARY KEY,
    from_id BLOB NOT NULL REFERENCES people (id),
    to_id BLOB NOT NULL REFERENCES people (id),
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    reason TEXT NOT NULL,
    from_at TIMESTAMP NOT NULL,
    until_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP,
    made_at TIMESTAMP NOT NULL,
    CHECK (from_id <> to_id),
    CHECK (from_at < until_at)
);
CREATE INDEX review_delegations_to_id ON review_delegations (to_id, until_at);
CREATE INDEX review_delegations_from_id ON review_delegations (from_id, id);

-- Who does not decide about what: what they said of one review, and whose kin they are.
CREATE TABLE review_recusals (
    review_id BLOB NOT NULL REFERENCES reviews (id),
    person_id BLOB NOT NULL REFERENCES people (id),
    ground TEXT NOT NULL CHECK (ground IN ('kin', 'interest', 'other')),
    made_at TIMESTAMP NOT NULL,
    PRIMARY KEY (review_id, person_id)
);
CREATE TABLE review_ties (
    id BLOB NOT NULL PRIMARY KEY,
    person_id BLOB NOT NULL REFERENCES people (id),
    -- kin, or an enterprise one has an interest in
    kin_id BLOB REFERENCES people (id),
    organisation_id BLOB REFERENCES organisations (id),
    declared_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP,
    CHECK ((kin_id IS NULL) <> (organisation_id IS NULL)),
    CHECK (kin_id <> person_id)
);
CREATE INDEX review_ties_person_id ON review_ties (person_id, id);
CREATE INDEX review_ties_kin_id ON review_ties (kin_id);

-- What applicant and desk say to each other.
CREATE TABLE review_messages (
    id BLOB NOT NULL PRIMARY KEY,
    review_id BLOB NOT NULL REFERENCES reviews (id),
    author_id BLOB NOT NULL REFERENCES people (id),
    side TEXT NOT NULL CHECK (side IN ('applicant', 'desk')),
    -- for which body an officer wrote it
    body_id BLOB REFERENCES organisations (id),
    text_sealed TEXT NOT NULL,
    sent_at TIMESTAMP NOT NULL,
    read_at TIMESTAMP,
    CHECK ((side = 'desk') = (body_id IS NOT NULL))
);
CREATE INDEX review_messages_review_id ON review_messages (review_id, id);

-- The desk finds people by their names.
CREATE INDEX people_name ON people (name);
