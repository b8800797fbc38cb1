DROP INDEX checkin_conflicts_person_id;
DROP INDEX scans_client;
CREATE UNIQUE INDEX scans_client ON scans (device_id, client_id, digest) WHERE client_id IS NOT NULL;
CREATE INDEX scans_device_seq ON scans (device_id, client_seq) WHERE client_id IS NOT NULL;
CREATE INDEX scans_person_id ON scans (person_id, session_id) WHERE client_id IS NOT NULL;
