-- How the text of a token is checked before it is looked for here: `plain` are those of before there was a keyed checksum.
ALTER TABLE tokens ADD COLUMN checksum TEXT NOT NULL DEFAULT 'plain';

-- What retrievers need to get in elsewhere: encrypted under `secrets.key` beside this file.
CREATE TABLE secrets (
    organisation TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Nonce, ciphertext and tag.
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, name)
) STRICT;
