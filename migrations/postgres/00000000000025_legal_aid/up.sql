-- Legal aid: requests, cases, the terms of the law, and who knows of them.

-- Three roles more.
CREATE TABLE staff_grants_new (
    id BYTEA NOT NULL PRIMARY KEY,
    person_id BYTEA NOT NULL REFERENCES people (id),
    role TEXT NOT NULL CHECK (role IN ('checkin_staff', 'organiser', 'reviewer', 'plan_officer', 'auditor', 'admin', 'legal_officer', 'legal_lead', 'legal_lawyer')),
    organisation_id BYTEA NOT NULL REFERENCES organisations (id),
    granted_by BYTEA REFERENCES people (id),
    granted_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP
);
INSERT INTO staff_grants_new SELECT * FROM staff_grants;
DROP TABLE staff_grants;
ALTER TABLE staff_grants_new RENAME TO staff_grants;
CREATE UNIQUE INDEX staff_grants_live ON staff_grants (person_id, role, organisation_id) WHERE revoked_at IS NULL;
CREATE INDEX staff_grants_person_id ON staff_grants (person_id);

-- A request for legal aid, and the case that it becomes once it is accepted.
CREATE TABLE legal_cases (
    id BYTEA NOT NULL PRIMARY KEY,
    -- the number of an accepted case
    number TEXT UNIQUE,
    -- who asked; of a group, the first of its representatives
    person_id BYTEA NOT NULL REFERENCES people (id),
    -- the body that decides about it
    desk_id BYTEA NOT NULL REFERENCES organisations (id),
    -- where it counts; none where the applicant works nowhere in the district
    street_id BYTEA REFERENCES organisations (id),
    category TEXT NOT NULL CHECK (category IN ('labour_dispute', 'rights', 'union_worker', 'union_body', 'other')),
    -- of article 31, where it is one of those
    matter TEXT CHECK (matter IN ('state_compensation', 'social_insurance', 'pension', 'maintenance', 'labour_relation', 'civil_capacity', 'injury', 'environment', 'other')),
    form TEXT NOT NULL CHECK (form IN ('consultation', 'drafting', 'mediation', 'representation')),
    -- employer, facts, wishes, how to reach the applicant
    facts_sealed TEXT NOT NULL,
    -- what the limitation runs from
    event TEXT CHECK (event IN ('dismissed', 'left', 'unpaid', 'injured', 'other')),
    event_on DATE,
    limitation_on DATE,
    urgent BOOLEAN NOT NULL,
    means TEXT NOT NULL CHECK (means IN ('exempt', 'declared')),
    state TEXT NOT NULL CHECK (state IN ('received', 'supplement', 'refused', 'accepted', 'assigned', 'handling', 'closed', 'terminated', 'withdrawn', 'deemed_withdrawn', 'annulled')),
    -- how many workers it is about
    members BIGINT NOT NULL CHECK (members >= 1),
    received_at TIMESTAMP NOT NULL,
    decided_at TIMESTAMP,
    ended_at TIMESTAMP,
    -- why it was terminated
    ground TEXT CHECK (ground IN ('fraud', 'concealed_facts', 'unlawful_use', 'no_longer_entitled', 'case_ended', 'other_counsel', 'asked', 'other')),
    version BIGINT NOT NULL,
    CHECK ((number IS NULL) OR decided_at IS NOT NULL),
    CHECK ((state = 'terminated') = (ground IS NOT NULL)),
    CHECK ((state IN ('refused', 'closed', 'terminated', 'withdrawn', 'deemed_withdrawn', 'annulled')) = (ended_at IS NOT NULL))
);
CREATE INDEX legal_cases_person_id ON legal_cases (person_id, id);
CREATE INDEX legal_cases_desk_id ON legal_cases (desk_id, state, id);

-- The terms of the law that run, ran or stand still for a case.
CREATE TABLE legal_clocks (
    id BYTEA NOT NULL PRIMARY KEY,
    case_id BYTEA NOT NULL REFERENCES legal_cases (id),
    kind TEXT NOT NULL CHECK (kind IN ('review', 'assign', 'supplement', 'papers', 'objection')),
    -- the policy that says how long
    term TEXT NOT NULL,
    started_at TIMESTAMP NOT NULL,
    -- none while it stands
    due_at TIMESTAMP,
    amber_at TIMESTAMP,
    -- how the day was reckoned
    trail TEXT NOT NULL,
    stopped_at TIMESTAMP,
    warned_at TIMESTAMP,
    -- stays, whatever happens afterwards
    breached_at TIMESTAMP
);
CREATE UNIQUE INDEX legal_clocks_running ON legal_clocks (case_id, kind) WHERE stopped_at IS NULL;
CREATE INDEX legal_clocks_due_at ON legal_clocks (due_at) WHERE stopped_at IS NULL;

CREATE TABLE legal_pauses (
    clock_id BYTEA NOT NULL REFERENCES legal_clocks (id),
    began_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP,
    PRIMARY KEY (clock_id, began_at)
);

-- Who knows of a case. Nobody else does, whatever their role.
CREATE TABLE legal_team (
    id BYTEA NOT NULL PRIMARY KEY,
    case_id BYTEA NOT NULL REFERENCES legal_cases (id),
    person_id BYTEA NOT NULL REFERENCES people (id),
    role TEXT NOT NULL CHECK (role IN ('handler', 'deputy', 'lawyer', 'objection')),
    joined_at TIMESTAMP NOT NULL,
    left_at TIMESTAMP
);
CREATE UNIQUE INDEX legal_team_live ON legal_team (case_id, person_id) WHERE left_at IS NULL;
CREATE INDEX legal_team_person_id ON legal_team (person_id, case_id);

-- What happened to a case. Never changed.
CREATE TABLE legal_events (
    id BYTEA NOT NULL PRIMARY KEY,
    case_id BYTEA NOT NULL REFERENCES legal_cases (id),
    at TIMESTAMP NOT NULL,
    -- none for what time has brought about
    actor_id BYTEA REFERENCES people (id),
    act TEXT NOT NULL,
    -- what the case became
    state TEXT NOT NULL,
    document_id BYTEA,
    note_sealed TEXT
);
CREATE INDEX legal_events_case_id ON legal_events (case_id, id);

-- Who is a side of which case, by a keyed hash: how conflicts are found without opening another file.
CREATE TABLE legal_parties (
    case_id BYTEA NOT NULL REFERENCES legal_cases (id),
    side TEXT NOT NULL CHECK (side IN ('applicant', 'employer', 'lawyer')),
    who BYTEA NOT NULL,
    PRIMARY KEY (case_id, side, who)
);
CREATE INDEX legal_parties_who ON legal_parties (who, side);
