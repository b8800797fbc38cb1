ALTER TABLE signups ADD CONSTRAINT signups_new_person_id_fkey FOREIGN KEY (person_id) REFERENCES people (id);
-- Whoever waited for the desk waits no more; and no desk was there to reject.
UPDATE signups
SET state = 'cancelled', ended_because = 'staff', cancelled_at = created_at, version = version + 1
WHERE state = 'applied';
UPDATE signups SET ended_because = 'staff' WHERE ended_because IN ('rejected', 'lapsed');
ALTER TABLE signups DROP CONSTRAINT signups_state_check;
ALTER TABLE signups ADD CONSTRAINT signups_new_state_check CHECK (state IN ('entered', 'waiting', 'offered', 'confirmed', 'attended', 'cancelled'));
