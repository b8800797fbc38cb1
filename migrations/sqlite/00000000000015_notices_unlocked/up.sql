-- Messages name people without a foreign key, as sign-ups do. SQLite cannot drop one, so the table is made anew on both.
CREATE TABLE notices_new (
    id BLOB NOT NULL PRIMARY KEY,
    person_id BLOB NOT NULL,
    -- the job that wrote it: a repeated job writes nothing twice
    source TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    link TEXT,
    created_at TIMESTAMP NOT NULL,
    read_at TIMESTAMP
);
INSERT INTO notices_new (id, person_id, source, kind, title, body, link, created_at, read_at)
    SELECT id, person_id, source, kind, title, body, link, created_at, read_at FROM notices;
DROP TABLE notices;
ALTER TABLE notices_new RENAME TO notices;
CREATE INDEX notices_person_id ON notices (person_id, id);
