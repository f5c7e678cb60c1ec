-- What people sign in with. These are no views: a rebuild could not bring a secret back, and no event may hold one.

-- Argon2id hashes of passwords in PHC form. A row lets nobody in until an event of its user names it; rows that are named no
-- longer are removed.
CREATE TABLE public.user_passwords (
    password  uuid        PRIMARY KEY,
    user_name text        NOT NULL,
    phc       text        NOT NULL,
    made_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX user_passwords_of_user ON public.user_passwords (user_name);

-- The secrets of sessions that may still be live, as SHA-256: they are random and long, so a plain hash is enough.
CREATE TABLE public.session_secrets (
    session    uuid        PRIMARY KEY,
    sha256     bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    -- The secret before: taken as well until the browser has shown that it has the new one, and for `previous_until`.
    previous   bytea       CHECK (octet_length(previous) = 32),
    previous_until timestamptz,
    -- Whether the browser has shown that it has the secret.
    confirmed  boolean     NOT NULL DEFAULT false,
    rotated_at timestamptz NOT NULL,
    last_seen  timestamptz NOT NULL,
    -- It ends here, however much it is used.
    expires    timestamptz NOT NULL
);

-- Whose sessions are live.
CREATE INDEX catalogue_live_sessions ON views.catalogue ((spec -> 'session' ->> 'user'))
    WHERE kind = 'session' AND valid_to IS NULL AND NOT retired;
