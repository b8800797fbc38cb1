-- Messages name people without a foreign key, as sign-ups do: checking one locks the person's row.
ALTER TABLE notices DROP CONSTRAINT notices_person_id_fkey;
