DROP TABLE legal_parties;
DROP TABLE legal_events;
DROP TABLE legal_team;
DROP TABLE legal_pauses;
DROP TABLE legal_clocks;
DROP TABLE legal_cases;

DELETE FROM staff_grants WHERE role IN ('legal_officer', 'legal_lead', 'legal_lawyer');
CREATE TABLE staff_grants_old (
    id BYTEA NOT NULL PRIMARY KEY,
    person_id BYTEA NOT NULL REFERENCES people (id),
    role TEXT NOT NULL CHECK (role IN ('checkin_staff', 'organiser', 'reviewer', 'plan_officer', 'auditor', 'admin')),
    organisation_id BYTEA NOT NULL REFERENCES organisations (id),
    granted_by BYTEA REFERENCES people (id),
    granted_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP
);
INSERT INTO staff_grants_old SELECT * FROM staff_grants;
DROP TABLE staff_grants;
ALTER TABLE staff_grants_old RENAME TO staff_grants;
CREATE UNIQUE INDEX staff_grants_live ON staff_grants (person_id, role, organisation_id) WHERE revoked_at IS NULL;
CREATE INDEX staff_grants_person_id ON staff_grants (person_id);
