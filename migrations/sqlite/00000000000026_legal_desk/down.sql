DROP TRIGGER legal_cases_no_reasons;
DROP TRIGGER legal_cases_reasons;
DROP INDEX legal_cases_waiting;
DROP TABLE legal_objections;
DROP TABLE legal_supplements;
DROP TRIGGER legal_decisions_no_delete;
DROP TABLE legal_decisions;
