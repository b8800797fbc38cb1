DROP TABLE legal_consultations;
DROP TABLE legal_messages;
DROP TABLE legal_glass;
