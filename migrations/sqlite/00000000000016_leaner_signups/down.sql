DROP INDEX signups_party_id;
DROP INDEX signups_live;
CREATE INDEX signups_party_id ON signups (party_id);
CREATE UNIQUE INDEX signups_live ON signups (activity_id, person_id) WHERE state <> 'cancelled';
CREATE INDEX signups_person_id ON signups (person_id, id);
CREATE INDEX signups_activity_id ON signups (activity_id, id);
