-- When each access token was last used, to a minute or so. It is no view and not in the log: a token is used much more often than
-- anything happens, and a rebuild must not forget it.
CREATE TABLE public.token_uses (
    token   uuid        PRIMARY KEY,
    used_at timestamptz NOT NULL
);
