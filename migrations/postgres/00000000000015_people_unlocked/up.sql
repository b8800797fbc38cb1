-- Sign-ups and messages name people without a foreign key. Checking one locks the person's row, which writes to a page of a table of
-- millions for each sign-up; and nobody is ever deleted from it.
ALTER TABLE signups DROP CONSTRAINT signups_new_person_id_fkey;
ALTER TABLE notices DROP CONSTRAINT notices_person_id_fkey;
