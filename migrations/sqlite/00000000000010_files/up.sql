-- Files that hang on something: evidence, photos, documents. The content lies sealed in the file store.
CREATE TABLE files (
    id BLOB NOT NULL PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES people (id),
    class TEXT NOT NULL CHECK (class IN ('evidence', 'photo', 'document')),
    media_type TEXT NOT NULL CHECK (media_type IN ('image/jpeg', 'image/png', 'image/webp', 'application/pdf')),
    -- Of what is kept, which is not always what was sent: a photo is stripped.
    bytes BIGINT NOT NULL CHECK (bytes > 0),
    width BIGINT,
    height BIGINT,
    sha256 BLOB NOT NULL,
    -- The name on the uploader's phone; gone with the content.
    name_sealed TEXT,
    storage_key TEXT NOT NULL UNIQUE,
    -- The vault's key that the content is sealed with.
    vault_key TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('arriving', 'uploaded', 'attached', 'removed')),
    holder_kind TEXT,
    holder_id BLOB,
    created_at TIMESTAMP NOT NULL,
    attached_at TIMESTAMP,
    removed_at TIMESTAMP,
    erased_at TIMESTAMP,
    CHECK (state <> 'attached' OR (holder_kind IS NOT NULL AND holder_id IS NOT NULL)),
    CHECK (erased_at IS NULL OR state = 'removed')
);
CREATE INDEX files_owner_id ON files (owner_id, state);
CREATE INDEX files_holder ON files (holder_kind, holder_id, id) WHERE state = 'attached';
CREATE INDEX files_state ON files (state, created_at);
