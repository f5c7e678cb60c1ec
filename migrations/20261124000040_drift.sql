-- The differences that are open, of all sites, by key.
CREATE INDEX catalogue_now_drift ON views.catalogue (key COLLATE "C") WHERE kind = 'drift' AND valid_to IS NULL AND NOT retired;

-- When what the servers of a site have is compared with the views. This is no view: when it was done says nothing about
-- what happened.
CREATE TABLE public.drift_checks (
    site         text        PRIMARY KEY,
    -- Null where a check comes only when it is asked for.
    next_check   timestamptz,
    -- When a person last asked for one.
    requested_at timestamptz,
    -- Whether a repair was ordered that nobody has looked at yet.
    repair       boolean     NOT NULL DEFAULT false,
    -- Until when somebody is at it, and since when that is a whole check.
    busy_until   timestamptz,
    started_at   timestamptz,
    -- The last whole check: when it ended, which position of the views it began with, how many things it compared, and
    -- what kept it from comparing others.
    checked_at   timestamptz,
    position     bigint,
    compared     bigint      NOT NULL DEFAULT 0,
    problems     text[]      NOT NULL DEFAULT '{}'
);
