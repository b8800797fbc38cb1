-- Hands of legal aid: stations, lawyers and their turns, changes of lawyer, referrals, and the workers of group cases.

-- The stations of item 11: one centre, stations of sub-districts and communities, stations of enterprises and industries.
CREATE TABLE legal_stations (
    id BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('centre', 'community', 'workplace')),
    name TEXT NOT NULL,
    -- who keeps it, and reports it
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    address TEXT NOT NULL,
    -- the station's own line, not a person's
    phone TEXT,
    hours TEXT,
    opened_on DATE NOT NULL,
    -- its last day
    closed_on DATE,
    version BIGINT NOT NULL,
    CHECK (closed_on IS NULL OR closed_on >= opened_on)
);
CREATE UNIQUE INDEX legal_stations_name ON legal_stations (organisation_id, name);

-- Lawyers who take cases.
CREATE TABLE legal_lawyers (
    id BLOB NOT NULL PRIMARY KEY,
    person_id BLOB NOT NULL UNIQUE REFERENCES people (id),
    station_id BLOB NOT NULL REFERENCES legal_stations (id),
    firm TEXT NOT NULL,
    licence_sealed TEXT NOT NULL,
    licence_index BLOB NOT NULL UNIQUE,
    phone_sealed TEXT NOT NULL,
    -- JSON: classes of cases that they take
    kinds TEXT NOT NULL,
    -- open cases at most
    capacity BIGINT NOT NULL CHECK (capacity >= 1),
    on_duty_from DATE NOT NULL,
    on_duty_until DATE,
    registered_at TIMESTAMP NOT NULL,
    version BIGINT NOT NULL,
    CHECK (on_duty_until IS NULL OR on_duty_until >= on_duty_from)
);
CREATE INDEX legal_lawyers_station_id ON legal_lawyers (station_id);
CREATE INDEX legal_lawyers_firm ON legal_lawyers (firm);

-- For whom a lawyer acts or has acted outside legal aid, by a keyed hash.
CREATE TABLE legal_lawyer_clients (
    lawyer_id BLOB NOT NULL REFERENCES legal_lawyers (id),
    who BLOB NOT NULL,
    PRIMARY KEY (lawyer_id, who)
);
CREATE INDEX legal_lawyer_clients_who ON legal_lawyer_clients (who);

-- In which order lawyers were suggested for a case, and why some were passed over. Never changed.
CREATE TABLE legal_turns (
    case_id BLOB NOT NULL REFERENCES legal_cases (id),
    -- counts the times that somebody was looked for
    round BIGINT NOT NULL CHECK (round >= 1),
    lawyer_id BLOB NOT NULL REFERENCES legal_lawyers (id),
    place BIGINT NOT NULL CHECK (place >= 1),
    -- cases taken lately, and open ones, of that moment
    recent BIGINT NOT NULL CHECK (recent >= 0),
    open BIGINT NOT NULL CHECK (open >= 0),
    -- none for whoever was suggested
    skipped TEXT CHECK (skipped IN ('off_duty', 'other_kind', 'no_role', 'conflict', 'same_lawyer', 'full', 'passed_over')),
    -- why an officer passed somebody over
    note_sealed TEXT,
    at TIMESTAMP NOT NULL,
    PRIMARY KEY (case_id, round, lawyer_id),
    CHECK ((coalesce(skipped, '') = 'passed_over') = (note_sealed IS NOT NULL))
);
CREATE INDEX legal_turns_lawyer_id ON legal_turns (lawyer_id);

-- That somebody asks for another lawyer.
CREATE TABLE legal_lawyer_changes (
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL REFERENCES legal_cases (id),
    -- whom they no longer want
    lawyer_id BLOB NOT NULL REFERENCES people (id),
    reason_sealed TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('asked', 'granted', 'refused', 'withdrawn')),
    asked_at TIMESTAMP NOT NULL,
    due_at TIMESTAMP NOT NULL,
    decided_by BLOB REFERENCES people (id),
    decided_at TIMESTAMP,
    answer_sealed TEXT,
    successor_id BLOB REFERENCES people (id),
    version BIGINT NOT NULL,
    CHECK ((state IN ('granted', 'refused')) = (decided_by IS NOT NULL)),
    CHECK ((state = 'asked') = (decided_at IS NULL)),
    CHECK ((state = 'granted') = (successor_id IS NOT NULL))
);
CREATE UNIQUE INDEX legal_lawyer_changes_live ON legal_lawyer_changes (case_id) WHERE state = 'asked';
CREATE INDEX legal_lawyer_changes_case_id ON legal_lawyer_changes (case_id, id);
CREATE INDEX legal_lawyer_changes_lawyer_id ON legal_lawyer_changes (lawyer_id);

-- That a case is referred elsewhere, with what its applicant agrees to.
CREATE TABLE legal_referrals (
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL REFERENCES legal_cases (id),
    destination TEXT NOT NULL CHECK (destination IN ('aid_office', 'hotline', 'arbitration', 'court', 'inspection')),
    -- which one
    office TEXT NOT NULL,
    -- JSON: the names of what is handed over
    fields TEXT NOT NULL,
    reason_sealed TEXT NOT NULL,
    -- what is handed over, as it was when it was proposed
    data_sealed TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('proposed', 'consented', 'declined', 'sent', 'accepted', 'rejected', 'returned')),
    proposed_by BLOB NOT NULL REFERENCES people (id),
    proposed_at TIMESTAMP NOT NULL,
    -- when the applicant said yes or no
    answered_at TIMESTAMP,
    sent_by BLOB REFERENCES people (id),
    sent_at TIMESTAMP,
    outcome_at TIMESTAMP,
    outcome_sealed TEXT,
    version BIGINT NOT NULL,
    CHECK ((state = 'proposed') = (answered_at IS NULL)),
    -- nothing leaves before the applicant has agreed
    CHECK ((state IN ('sent', 'accepted', 'rejected', 'returned')) = (sent_at IS NOT NULL)),
    CHECK ((sent_at IS NULL) = (sent_by IS NULL)),
    CHECK (sent_at IS NULL OR answered_at <= sent_at)
);
CREATE UNIQUE INDEX legal_referrals_live ON legal_referrals (case_id, destination) WHERE state IN ('proposed', 'consented', 'sent', 'accepted');
CREATE INDEX legal_referrals_case_id ON legal_referrals (case_id, id);

-- The workers of a group case.
CREATE TABLE legal_members (
    id BLOB NOT NULL PRIMARY KEY,
    case_id BLOB NOT NULL REFERENCES legal_cases (id),
    -- in which place they were named, from 1: the applicant
    place BIGINT NOT NULL CHECK (place >= 1),
    -- none until somebody with that number has answered
    person_id BLOB REFERENCES people (id),
    name_sealed TEXT NOT NULL,
    -- none for the applicant
    phone_sealed TEXT,
    phone_index BLOB,
    -- what they claim, in fen
    amount_sealed TEXT,
    representative BOOLEAN NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('named', 'consented', 'declined')),
    answered_at TIMESTAMP,
    version BIGINT NOT NULL,
    CHECK ((state = 'named') = (answered_at IS NULL)),
    CHECK ((phone_sealed IS NULL) = (phone_index IS NULL)),
    -- nobody agrees in another's name
    CHECK (state <> 'consented' OR person_id IS NOT NULL),
    CHECK (person_id IS NOT NULL OR phone_index IS NOT NULL)
);
CREATE UNIQUE INDEX legal_members_phone ON legal_members (case_id, phone_index);
CREATE UNIQUE INDEX legal_members_person ON legal_members (case_id, person_id);
CREATE UNIQUE INDEX legal_members_place ON legal_members (case_id, place);
CREATE INDEX legal_members_phone_index ON legal_members (phone_index, id);
CREATE INDEX legal_members_person_id ON legal_members (person_id, id);
