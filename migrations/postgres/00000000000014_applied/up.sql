-- A request that waits for the desk is a sign-up too: 'applied'.
ALTER TABLE signups DROP CONSTRAINT signups_new_state_check;
ALTER TABLE signups ADD CONSTRAINT signups_state_check CHECK (state IN ('applied', 'entered', 'waiting', 'offered', 'confirmed', 'attended', 'cancelled'));
