-- What people wrote or uploaded, and what the content check says of it. The text itself stays where it was written.
CREATE TABLE content_checks (
    id BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('text', 'picture')),
    -- where it stands: which room keeps it, in which row, and in which field of it
    room TEXT NOT NULL,
    row_id BLOB NOT NULL,
    field TEXT NOT NULL,
    -- whose it is
    person_id BLOB NOT NULL REFERENCES people (id),
    -- whose officers judge it; or else the case whose team does
    organisation_id BLOB REFERENCES organisations (id),
    case_id BLOB REFERENCES legal_cases (id),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'passed', 'held', 'released', 'removed')),
    -- WeChat's number for what it found; none where WeChat could not be asked
    label BIGINT,
    -- the picture whose verdict is still to come
    trace_id TEXT,
    asked_at TIMESTAMP NOT NULL,
    decided_by BLOB REFERENCES people (id),
    decided_at TIMESTAMP,
    reason TEXT CHECK (reason IN ('harmless', 'belongs_to_matter', 'abuse', 'obscene', 'fraud', 'advertising', 'unlawful', 'private_data')),
    version BIGINT NOT NULL,
    CHECK ((organisation_id IS NULL) <> (case_id IS NULL)),
    CHECK ((state IN ('released', 'removed')) = (decided_by IS NOT NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    CHECK ((decided_by IS NULL) = (reason IS NULL))
);
CREATE UNIQUE INDEX content_checks_place ON content_checks (room, row_id, field);
CREATE UNIQUE INDEX content_checks_trace_id ON content_checks (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX content_checks_held ON content_checks (id) WHERE state = 'held';
CREATE INDEX content_checks_organisation_id ON content_checks (organisation_id, id);
CREATE INDEX content_checks_case_id ON content_checks (case_id, id);
CREATE INDEX content_checks_person_id ON content_checks (person_id);
