DROP TABLE audit_head;
DROP TABLE audit_entries;
DROP FUNCTION audit_is_append_only();
DROP TABLE jobs;
DROP TABLE idempotency_keys;
