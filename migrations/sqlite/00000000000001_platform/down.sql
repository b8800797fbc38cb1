DROP TABLE audit_head;
DROP TABLE audit_entries;
DROP TABLE jobs;
DROP TABLE idempotency_keys;
