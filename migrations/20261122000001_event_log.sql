-- The write side. Everything else can be thrown away and rebuilt from `events`.

CREATE TABLE events (
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL CHECK (sequence > 0),
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    -- `json`, not `jsonb`: the text is kept to the letter, since the hash chain covers it.
    payload        json        NOT NULL,
    metadata       json        NOT NULL,
    -- The place in the whole log, from 1, without gaps: given by the writer, who holds `log_head`.
    position       bigint      NOT NULL CHECK (position > 0),
    recorded_at    timestamptz NOT NULL,
    -- SHA-256 of the previous event's chain and this event's canonical bytes.
    chain          bytea       NOT NULL CHECK (octet_length(chain) = 32),
    PRIMARY KEY (aggregate_type, aggregate_id, sequence),
    UNIQUE (position)
);

-- The last position and chain: locked by whoever appends, so that the order of positions is the
-- order of commits and a reader never meets a gap that fills later; and a witness against a cut tail.
CREATE TABLE log_head (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint  NOT NULL,
    chain    bytea   NOT NULL
);
INSERT INTO log_head (position, chain) VALUES (0, decode(repeat('00', 32), 'hex'));

-- What may be held once at a time.
CREATE TABLE claims (
    kind     text   NOT NULL,
    value    text   NOT NULL,
    holder   text   NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (kind, value)
);
CREATE INDEX claims_of_holder ON claims (holder);

-- Idempotency keys already answered. `fingerprint` is the SHA-256 of the request, so that a key
-- used for another request is told apart; `answer` is what the first one was answered.
CREATE TABLE commands (
    key         text   PRIMARY KEY,
    fingerprint bytea  NOT NULL,
    position    bigint NOT NULL,
    answer      json   NOT NULL
);

-- SHA-256 of each access token's secret. Secrets are random and long, so a plain hash is enough.
CREATE TABLE token_secrets (
    token  uuid  PRIMARY KEY,
    sha256 bytea NOT NULL UNIQUE
);

-- Who works on which plugin run until when. Not a view: a rebuild must not forget a running plugin.
CREATE TABLE leases (
    deployment uuid        NOT NULL,
    plugin     text        NOT NULL,
    worker     uuid        NOT NULL,
    taken_at   timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    -- The work is over, and nothing new is expected before `until` unless an event says so.
    resting    boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (deployment, plugin)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER events_are_for_ever BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_are_never_truncated BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
