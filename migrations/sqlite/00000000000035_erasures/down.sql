DROP TABLE erasure_kept;
DROP TABLE erasures;
DROP INDEX people_erased;
ALTER TABLE people DROP COLUMN erased_at;
