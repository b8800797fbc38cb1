ALTER TABLE notices ADD CONSTRAINT notices_person_id_fkey FOREIGN KEY (person_id) REFERENCES people (id);
