DROP INDEX signups_party_id;
CREATE INDEX signups_party_id ON signups (party_id);
CREATE INDEX signups_activity_id ON signups (activity_id, id);
