ALTER TABLE activities DROP COLUMN members_only;
DROP TABLE memberships;
