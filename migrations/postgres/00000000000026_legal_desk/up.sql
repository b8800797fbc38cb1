-- What a desk decides about requests for legal aid, and what is said against it.

-- Decisions, with the document that says so. Never changed.
CREATE TABLE legal_decisions (
    document_id BYTEA NOT NULL PRIMARY KEY,
    case_id BYTEA NOT NULL REFERENCES legal_cases (id),
    kind TEXT NOT NULL CHECK (kind IN ('accept', 'provisional', 'refuse', 'terminate', 'annul')),
    -- the version of the case that it is about
    case_version BIGINT NOT NULL,
    -- JSON: codes of the catalogue
    reason_codes TEXT NOT NULL,
    -- in the officer's words
    reasons_sealed TEXT,
    -- how one may object, word for word
    appeal_notice TEXT,
    decided_by BYTEA NOT NULL REFERENCES people (id),
    decided_at TIMESTAMP NOT NULL,
    UNIQUE (case_id, case_version),
    -- what takes aid from somebody says why, in writing, and what can be done against it
    CHECK (kind NOT IN ('refuse', 'terminate') OR (reasons_sealed IS NOT NULL AND length(reason_codes) > 4
        AND appeal_notice IS NOT NULL AND length(appeal_notice) >= 10)),
    CHECK (kind <> 'annul' OR reasons_sealed IS NOT NULL)
);

-- What is missing of a request: said once, and all of it.
CREATE TABLE legal_supplements (
    case_id BYTEA NOT NULL PRIMARY KEY REFERENCES legal_cases (id),
    document_id BYTEA NOT NULL,
    missing_sealed TEXT NOT NULL,
    given_by BYTEA NOT NULL REFERENCES people (id),
    given_at TIMESTAMP NOT NULL
);

-- What an applicant says against a decision, and the answer of somebody who had no part in it.
CREATE TABLE legal_objections (
    id BYTEA NOT NULL PRIMARY KEY,
    case_id BYTEA NOT NULL REFERENCES legal_cases (id),
    -- the version of the case at which it stood refused or terminated
    case_version BIGINT NOT NULL,
    against TEXT NOT NULL CHECK (against IN ('refused', 'terminated')),
    raised_by BYTEA NOT NULL REFERENCES people (id),
    -- who decided
    decided_by BYTEA NOT NULL REFERENCES people (id),
    text_sealed TEXT NOT NULL,
    raised_at TIMESTAMP NOT NULL,
    -- who answers it
    taken_by BYTEA REFERENCES people (id),
    taken_at TIMESTAMP,
    outcome TEXT CHECK (outcome IN ('uphold', 'dismiss')),
    answer_sealed TEXT,
    document_id BYTEA,
    answered_at TIMESTAMP,
    version BIGINT NOT NULL,
    UNIQUE (case_id, against, case_version),
    CHECK ((taken_by IS NULL) = (taken_at IS NULL)),
    CHECK ((outcome IS NULL) = (answered_at IS NULL)),
    CHECK ((outcome IS NULL) = (document_id IS NULL)),
    CHECK ((outcome IS NULL) = (answer_sealed IS NULL)),
    CHECK (outcome IS NULL OR taken_by IS NOT NULL),
    CHECK (taken_by IS NULL OR (taken_by <> decided_by AND taken_by <> raised_by))
);
CREATE UNIQUE INDEX legal_objections_open ON legal_objections (case_id) WHERE outcome IS NULL;
CREATE INDEX legal_objections_taken_by ON legal_objections (taken_by, id);

-- The desk's list, without names: those that wait, urgent ones first.
CREATE INDEX legal_cases_waiting ON legal_cases (desk_id, urgent, id) WHERE ended_at IS NULL;

CREATE FUNCTION legal_decisions_stay() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'what was decided about legal aid stays so';
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER legal_decisions_no_edit
    BEFORE UPDATE OF document_id, case_id, kind, case_version, reason_codes, appeal_notice, decided_by, decided_at ON legal_decisions
    FOR EACH ROW EXECUTE FUNCTION legal_decisions_stay();
CREATE TRIGGER legal_decisions_no_delete BEFORE DELETE ON legal_decisions
    FOR EACH ROW EXECUTE FUNCTION legal_decisions_stay();
-- No aid is refused or ended without a decision about this very version of the case, which says why and how to object.
CREATE FUNCTION legal_cases_have_reasons() RETURNS trigger AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NOT EXISTS
        (SELECT 1 FROM legal_decisions WHERE legal_decisions.case_id = NEW.id AND legal_decisions.case_version = OLD.version
         AND legal_decisions.kind = CASE NEW.state WHEN 'refused' THEN 'refuse' ELSE 'terminate' END) THEN
        RAISE EXCEPTION 'aid is refused and ended with written reasons only';
    END IF;
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER legal_cases_reasons BEFORE UPDATE OF state ON legal_cases
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state IN ('refused', 'terminated')) EXECUTE FUNCTION legal_cases_have_reasons();
CREATE TRIGGER legal_cases_no_reasons BEFORE INSERT ON legal_cases
    FOR EACH ROW WHEN (NEW.state IN ('refused', 'terminated')) EXECUTE FUNCTION legal_cases_have_reasons();
