DROP TABLE legal_parties;
DROP TABLE legal_events;
DROP TABLE legal_team;
DROP TABLE legal_pauses;
DROP TABLE legal_clocks;
DROP TABLE legal_cases;

DELETE FROM staff_grants WHERE role IN ('legal_officer', 'legal_lead', 'legal_lawyer');
ALTER TABLE staff_grants DROP CONSTRAINT staff_grants_role_check;
ALTER TABLE staff_grants ADD CONSTRAINT staff_grants_role_check CHECK (role IN ('checkin_staff', 'organiser', 'reviewer', 'plan_officer', 'auditor', 'admin'));
