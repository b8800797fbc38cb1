-- Thousands of scans come in at once, and every key is written to for each. One serves both a device's own name of a scan and its place in the
-- device's order, since a scan's digest covers its place; and where somebody was besides is known from attendances and conflicts.
DROP INDEX scans_client;
DROP INDEX scans_device_seq;
DROP INDEX scans_person_id;
CREATE UNIQUE INDEX scans_client ON scans (device_id, client_seq, client_id, digest) WHERE client_id IS NOT NULL;
CREATE INDEX checkin_conflicts_person_id ON checkin_conflicts (person_id, session_id);
