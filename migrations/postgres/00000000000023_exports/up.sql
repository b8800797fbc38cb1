-- Reports that were asked for. The content lies sealed in the file store and can be made again, to the byte.
CREATE TABLE plan_exports (
    id BYTEA NOT NULL PRIMARY KEY,
    plan_id BYTEA NOT NULL REFERENCES plans (id),
    kind TEXT NOT NULL CHECK (kind IN ('figures', 'lines')),
    format TEXT NOT NULL CHECK (format IN ('xlsx', 'csv', 'html')),
    organisation_id BYTEA NOT NULL REFERENCES organisations (id),
    target_id BYTEA REFERENCES targets (id),
    as_of TIMESTAMP NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'making', 'ready', 'expired')),
    percent BIGINT NOT NULL CHECK (percent BETWEEN 0 AND 100),
    sha256 BYTEA,
    bytes BIGINT,
    -- The vault's key that the content is sealed with.
    vault_key TEXT,
    requested_by BYTEA NOT NULL REFERENCES people (id),
    created_at TIMESTAMP NOT NULL,
    ready_at TIMESTAMP,
    expires_at TIMESTAMP,
    erased_at TIMESTAMP,
    CHECK ((kind = 'lines') = (target_id IS NOT NULL)),
    CHECK (kind <> 'lines' OR format = 'csv'),
    CHECK (state IN ('waiting', 'making') OR (sha256 IS NOT NULL AND bytes IS NOT NULL AND expires_at IS NOT NULL)),
    CHECK (erased_at IS NULL OR state = 'expired')
);
CREATE INDEX plan_exports_state ON plan_exports (state, expires_at);
