-- The union tree, people and their logins.

CREATE TABLE organisations (
    id BLOB NOT NULL PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    short_name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('district', 'department', 'sub_district', 'industry_union', 'direct_union', 'station', 'enterprise_union')),
    parent_id BLOB REFERENCES organisations (id),
    -- codes of all ancestors and itself, as '/longgang/street-pinghu/': a subtree is a prefix
    path TEXT NOT NULL UNIQUE,
    -- the sub-district this belongs to (itself, for a sub-district); none for district-wide bodies
    street_id BLOB REFERENCES organisations (id),
    division_code TEXT,
    level TEXT,
    opened_on DATE NOT NULL,
    closed_on DATE,
    version BIGINT NOT NULL
);
CREATE INDEX organisations_kind ON organisations (kind, code);

CREATE TABLE people (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT,
    phone_sealed TEXT,
    phone_index BLOB,
    id_number_sealed TEXT,
    id_number_index BLOB UNIQUE,
    workplace_id BLOB REFERENCES organisations (id),
    disabled_at TIMESTAMP,
    version BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX people_phone_index ON people (phone_index);

CREATE TABLE wechat_identities (
    appid TEXT NOT NULL,
    openid TEXT NOT NULL,
    person_id BLOB NOT NULL REFERENCES people (id),
    unionid TEXT,
    session_key_sealed TEXT,
    created_at TIMESTAMP NOT NULL,
    last_login_at TIMESTAMP,
    PRIMARY KEY (appid, openid)
);
CREATE INDEX wechat_identities_person_id ON wechat_identities (person_id);

CREATE TABLE token_families (
    id BLOB NOT NULL PRIMARY KEY,
    person_id BLOB NOT NULL REFERENCES people (id),
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP,
    ended_because TEXT CHECK (ended_because IN ('logout', 'logout_everywhere', 'refresh_reused', 'person_disabled'))
);
CREATE INDEX token_families_person_id ON token_families (person_id);

CREATE TABLE refresh_tokens (
    token_hash BLOB NOT NULL PRIMARY KEY,
    family_id BLOB NOT NULL REFERENCES token_families (id),
    issued_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    used_at TIMESTAMP
);
CREATE INDEX refresh_tokens_family_id ON refresh_tokens (family_id);

CREATE TABLE staff_grants (
    id BLOB NOT NULL PRIMARY KEY,
    person_id BLOB NOT NULL REFERENCES people (id),
    role TEXT NOT NULL CHECK (role IN ('checkin_staff', 'organiser', 'reviewer', 'plan_officer', 'auditor', 'admin')),
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    granted_by BLOB REFERENCES people (id),
    granted_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP
);
CREATE UNIQUE INDEX staff_grants_live ON staff_grants (person_id, role, organisation_id) WHERE revoked_at IS NULL;
CREATE INDEX staff_grants_person_id ON staff_grants (person_id);
