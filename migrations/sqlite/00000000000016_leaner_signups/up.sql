-- Every index of sign-ups is written to in a rush. Those of an activity are found by their number, and few belong to a party.
DROP INDEX signups_activity_id;
DROP INDEX signups_party_id;
CREATE INDEX signups_party_id ON signups (party_id) WHERE party_id IS NOT NULL;
