-- Every index of sign-ups is written to in a rush, and those that go by person each on a page of its own. Those of an activity are found by
-- their number, few belong to a party, and one key serves both a person's sign-ups and that one of them is live for an activity: a
-- cancelled one is told apart by its number, which is never 0.
DROP INDEX signups_activity_id;
DROP INDEX signups_person_id;
DROP INDEX signups_live;
DROP INDEX signups_party_id;
CREATE UNIQUE INDEX signups_live ON signups (person_id, activity_id, (CASE WHEN state = 'cancelled' THEN number ELSE 0 END));
CREATE INDEX signups_party_id ON signups (party_id) WHERE party_id IS NOT NULL;
