-- Work injuries that hospitals report, and the visits to those who lie there.

-- Whom a list means by a mobile number and a name (keyed hash of both): one person, for good. So two lists that name somebody new at
-- once make one person. Without a foreign key, because the name comes before the person.
CREATE TABLE injured (
    who BLOB NOT NULL PRIMARY KEY,
    person_id BLOB NOT NULL
);

CREATE TABLE injuries (
    id BLOB NOT NULL PRIMARY KEY,
    person_id BLOB NOT NULL REFERENCES people (id),
    -- who looks after it: the employer's union, or whose list it was
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    injured_on DATE NOT NULL,
    -- name, number, employer, hospital, day of admission, injury
    facts_sealed TEXT NOT NULL,
    -- last days on which recognition may be applied for
    employer_due_on DATE NOT NULL,
    worker_due_on DATE NOT NULL,
    applied_on DATE,
    applied_by TEXT CHECK (applied_by IN ('employer', 'worker', 'union')),
    -- when the worker was told that few days are left
    employer_warned_at TIMESTAMP,
    worker_warned_at TIMESTAMP,
    imported_by BLOB NOT NULL REFERENCES people (id),
    imported_at TIMESTAMP NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (person_id, injured_on),
    CHECK ((applied_on IS NULL) = (applied_by IS NULL)),
    CHECK (applied_on >= injured_on)
);
CREATE INDEX injuries_organisation_id ON injuries (organisation_id, id);
CREATE INDEX injuries_employer_due_on ON injuries (employer_due_on) WHERE applied_on IS NULL;
CREATE INDEX injuries_worker_due_on ON injuries (worker_due_on) WHERE applied_on IS NULL;

-- The session that an organisation's visits of a day belong to; a further one where that is finalised or cancelled.
CREATE TABLE visit_days (
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    topic TEXT NOT NULL REFERENCES topics (code),
    day DATE NOT NULL,
    number BIGINT NOT NULL,
    session_id BLOB NOT NULL UNIQUE REFERENCES sessions (id),
    PRIMARY KEY (organisation_id, topic, day, number)
);

CREATE TABLE visits (
    id BLOB NOT NULL PRIMARY KEY,
    injury_id BLOB NOT NULL REFERENCES injuries (id),
    session_id BLOB NOT NULL REFERENCES sessions (id),
    form TEXT NOT NULL CHECK (form IN ('visit', 'gift_only')),
    visited_on DATE NOT NULL,
    gift_kind TEXT CHECK (gift_kind IN ('cash', 'goods')),
    gift_text TEXT,
    gift_fen BIGINT CHECK (gift_fen > 0),
    -- JSON: codes of what was told
    told TEXT NOT NULL,
    recorded_by BLOB NOT NULL REFERENCES people (id),
    recorded_at TIMESTAMP NOT NULL,
    undone_by BLOB REFERENCES people (id),
    undone_at TIMESTAMP,
    undone_because TEXT,
    version BIGINT NOT NULL,
    CHECK (form <> 'gift_only' OR gift_kind IS NOT NULL),
    CHECK (gift_kind IS NOT NULL OR (gift_text IS NULL AND gift_fen IS NULL)),
    CHECK ((undone_at IS NULL) = (undone_by IS NULL)),
    CHECK ((undone_at IS NULL) = (undone_because IS NULL))
);
CREATE INDEX visits_injury_id ON visits (injury_id, id);
CREATE INDEX visits_session_id ON visits (session_id);
