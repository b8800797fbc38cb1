ALTER TABLE notices ADD CONSTRAINT notices_person_id_fkey FOREIGN KEY (person_id) REFERENCES people (id);
ALTER TABLE signups ADD CONSTRAINT signups_new_person_id_fkey FOREIGN KEY (person_id) REFERENCES people (id);
