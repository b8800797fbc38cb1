DROP TRIGGER legal_cases_no_reasons ON legal_cases;
DROP TRIGGER legal_cases_reasons ON legal_cases;
DROP FUNCTION legal_cases_have_reasons();
DROP INDEX legal_cases_waiting;
DROP TABLE legal_objections;
DROP TABLE legal_supplements;
DROP TABLE legal_decisions;
DROP FUNCTION legal_decisions_stay();
