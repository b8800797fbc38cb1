DROP TABLE visits;
DROP TABLE visit_days;
DROP TABLE injuries;
DROP TABLE injured;
