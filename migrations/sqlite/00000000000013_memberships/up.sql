-- Who is a member of which union: claimed by the worker, verified by the desk.
CREATE TABLE memberships (
    id BLOB NOT NULL PRIMARY KEY,
    person_id BLOB NOT NULL REFERENCES people (id),
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    state TEXT NOT NULL CHECK (state IN ('claimed', 'verified', 'refused', 'withdrawn', 'ended')),
    -- since when, as the person says
    since DATE,
    claimed_at TIMESTAMP NOT NULL,
    verified_at TIMESTAMP,
    ended_at TIMESTAMP,
    ended_because TEXT CHECK (ended_because IN ('moved', 'left', 'mistake', 'dissolved', 'other')),
    version BIGINT NOT NULL,
    CHECK ((state IN ('verified', 'ended')) = (verified_at IS NOT NULL)),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
    CHECK ((state = 'ended') = (ended_because IS NOT NULL))
);
-- Nobody claims twice at once, or is a member in two places.
CREATE UNIQUE INDEX memberships_claimed ON memberships (person_id) WHERE state = 'claimed';
CREATE UNIQUE INDEX memberships_verified ON memberships (person_id) WHERE state = 'verified';
CREATE INDEX memberships_person_id ON memberships (person_id, id);
CREATE INDEX memberships_organisation_id ON memberships (organisation_id, id);

-- Whether only verified members may sign up.
ALTER TABLE activities ADD COLUMN members_only BOOLEAN NOT NULL DEFAULT FALSE;
