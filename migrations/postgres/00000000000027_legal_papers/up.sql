-- Papers of legal aid: numbered documents, how a case is closed, and what follows.

-- The last number of each desk, year and kind of document.
CREATE TABLE legal_numbers (
    desk_id BYTEA NOT NULL REFERENCES organisations (id),
    year BIGINT NOT NULL CHECK (year BETWEEN 1900 AND 9999),
    kind TEXT NOT NULL CHECK (kind IN ('receipt', 'supplement_notice', 'acceptance', 'refusal', 'provisional_aid', 'assignment', 'termination', 'objection_answer', 'closing_report', 'annulment')),
    last BIGINT NOT NULL CHECK (last >= 0),
    PRIMARY KEY (desk_id, year, kind)
);

-- What a desk has told an applicant in writing.
CREATE TABLE legal_documents (
    id BYTEA NOT NULL PRIMARY KEY,
    case_id BYTEA NOT NULL REFERENCES legal_cases (id),
    kind TEXT NOT NULL CHECK (kind IN ('receipt', 'supplement_notice', 'acceptance', 'refusal', 'provisional_aid', 'assignment', 'termination', 'objection_answer', 'closing_report', 'annulment')),
    -- whose number it has
    desk_id BYTEA NOT NULL REFERENCES organisations (id),
    year BIGINT NOT NULL,
    serial BIGINT NOT NULL CHECK (serial >= 1),
    -- as it is printed
    number TEXT NOT NULL UNIQUE,
    -- the version of the template
    template BIGINT NOT NULL CHECK (template >= 1),
    -- what it says
    paper_sealed TEXT NOT NULL,
    -- none for what time has brought about
    issued_by BYTEA REFERENCES people (id),
    issued_at TIMESTAMP NOT NULL,
    -- when, how and by whom it was handed over; by nobody where the applicant opened it
    delivered_at TIMESTAMP,
    delivery TEXT CHECK (delivery IN ('in_person', 'post', 'electronic', 'online')),
    delivered_by BYTEA REFERENCES people (id),
    -- when the applicant first opened it
    read_at TIMESTAMP,
    UNIQUE (desk_id, year, kind, serial),
    CHECK ((delivered_at IS NULL) = (delivery IS NULL)),
    CHECK (delivered_at IS NOT NULL OR delivered_by IS NULL),
    CHECK (read_at IS NULL OR delivered_at IS NOT NULL)
);
CREATE INDEX legal_documents_case_id ON legal_documents (case_id, id);

-- What whoever handled a case reports at its end. Fixed with its document.
CREATE TABLE legal_reports (
    case_id BYTEA NOT NULL PRIMARY KEY REFERENCES legal_cases (id),
    result TEXT NOT NULL CHECK (result IN ('advised', 'drafted', 'settled', 'award_won', 'award_part', 'award_lost', 'withdrawn', 'other')),
    -- what the applicant got back, in fen
    recovered_fen BIGINT NOT NULL CHECK (recovered_fen >= 0),
    -- the time spent
    minutes BIGINT NOT NULL CHECK (minutes >= 1),
    summary_sealed TEXT NOT NULL,
    reported_by BYTEA NOT NULL REFERENCES people (id),
    reported_at TIMESTAMP NOT NULL,
    -- the document of the case's end
    document_id BYTEA UNIQUE REFERENCES legal_documents (id),
    closed_by BYTEA REFERENCES people (id),
    version BIGINT NOT NULL,
    CHECK ((document_id IS NULL) = (closed_by IS NULL))
);

-- Closed cases of which the sample wants somebody asked how it was.
CREATE TABLE legal_return_visits (
    case_id BYTEA NOT NULL PRIMARY KEY REFERENCES legal_reports (case_id),
    -- how many of a hundred were drawn
    percent BIGINT NOT NULL CHECK (percent BETWEEN 0 AND 100),
    due_on DATE NOT NULL,
    visited_by BYTEA REFERENCES people (id),
    visited_at TIMESTAMP,
    way TEXT CHECK (way IN ('phone', 'in_person', 'message')),
    outcome TEXT CHECK (outcome IN ('confirmed', 'differs', 'complaint', 'unreachable')),
    note_sealed TEXT,
    CHECK ((visited_at IS NULL) = (visited_by IS NULL)),
    CHECK ((visited_at IS NULL) = (way IS NULL)),
    CHECK ((visited_at IS NULL) = (outcome IS NULL)),
    CHECK (visited_at IS NOT NULL OR note_sealed IS NULL)
);

-- What the applicant thinks of it.
CREATE TABLE legal_satisfactions (
    case_id BYTEA NOT NULL PRIMARY KEY REFERENCES legal_cases (id),
    score BIGINT NOT NULL CHECK (score BETWEEN 1 AND 5),
    text_sealed TEXT,
    given_at TIMESTAMP NOT NULL
);

-- That a second officer went through the file.
CREATE TABLE legal_file_checks (
    case_id BYTEA NOT NULL PRIMARY KEY REFERENCES legal_reports (case_id),
    -- JSON: codes of what is there
    present TEXT NOT NULL,
    -- JSON: codes of what is missing
    missing TEXT NOT NULL,
    complete BOOLEAN NOT NULL,
    note_sealed TEXT,
    checked_by BYTEA NOT NULL REFERENCES people (id),
    checked_at TIMESTAMP NOT NULL,
    version BIGINT NOT NULL
);

-- What a lawyer gets for a case.
CREATE TABLE legal_subsidies (
    case_id BYTEA NOT NULL PRIMARY KEY REFERENCES legal_file_checks (case_id),
    person_id BYTEA NOT NULL REFERENCES people (id),
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
    -- the policy that says how much, and since when it does
    policy TEXT NOT NULL,
    policy_from DATE NOT NULL,
    granted_by BYTEA NOT NULL REFERENCES people (id),
    granted_at TIMESTAMP NOT NULL,
    CHECK (granted_by <> person_id)
);
CREATE INDEX legal_subsidies_person_id ON legal_subsidies (person_id, granted_at);

-- What was issued is not edited but for its marks and its key, and nothing of a file is removed.
CREATE FUNCTION legal_documents_stay() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'documents of legal aid stay as they were issued';
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER legal_documents_no_edit
    BEFORE DELETE OR UPDATE OF id, case_id, kind, desk_id, year, serial, number, template, issued_by, issued_at ON legal_documents
    FOR EACH ROW EXECUTE FUNCTION legal_documents_stay();
CREATE FUNCTION legal_reports_stay() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'a closing report stays as it was issued';
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER legal_reports_no_edit
    BEFORE DELETE OR UPDATE OF case_id, result, recovered_fen, minutes, reported_by, reported_at, document_id, closed_by ON legal_reports
    FOR EACH ROW WHEN (OLD.document_id IS NOT NULL) EXECUTE FUNCTION legal_reports_stay();
-- Never closed without a report, never refused or terminated without a document that says why.
CREATE FUNCTION legal_cases_end() RETURNS trigger AS $$
BEGIN
    IF (NEW.state = 'closed' AND NOT EXISTS
            (SELECT 1 FROM legal_reports WHERE legal_reports.case_id = NEW.id AND legal_reports.document_id IS NOT NULL))
        OR (NEW.state = 'refused' AND NOT EXISTS
            (SELECT 1 FROM legal_documents WHERE legal_documents.case_id = NEW.id AND legal_documents.kind = 'refusal'))
        OR (NEW.state = 'terminated' AND NOT EXISTS
            (SELECT 1 FROM legal_documents WHERE legal_documents.case_id = NEW.id AND legal_documents.kind = 'termination')) THEN
        RAISE EXCEPTION 'no case ends without its document';
    END IF;
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER legal_cases_end BEFORE INSERT OR UPDATE OF state ON legal_cases
    FOR EACH ROW EXECUTE FUNCTION legal_cases_end();
-- No subsidy for a file that nobody else has found complete.
CREATE FUNCTION legal_subsidies_checked() RETURNS trigger AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM legal_file_checks JOIN legal_reports ON legal_reports.case_id = legal_file_checks.case_id
                   WHERE legal_file_checks.case_id = NEW.case_id AND legal_file_checks.complete
                   AND legal_file_checks.checked_by <> legal_reports.reported_by AND legal_file_checks.checked_by <> NEW.person_id) THEN
        RAISE EXCEPTION 'a subsidy needs a file that another officer found complete';
    END IF;
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER legal_subsidies_checked BEFORE INSERT ON legal_subsidies
    FOR EACH ROW EXECUTE FUNCTION legal_subsidies_checked();
