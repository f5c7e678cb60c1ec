-- How far the log's hash chain was verified, and what the last verification found. These are no events: an event after each
-- verification would leave a log that is never verified to its end, and a check should add nothing to what it checks. This is no
-- view: a rebuild must not forget it.
CREATE TABLE public.log_verification (
    one            boolean     PRIMARY KEY DEFAULT true CHECK (one),
    -- Everything up to this event was verified, and this is its chain value. The next run continues there.
    position       bigint      NOT NULL DEFAULT 0,
    chain          bytea       NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(chain) = 32),
    verified_at    timestamptz,
    verified_by    text,
    -- When the log was last verified from its first event. Other runs trust what earlier runs verified.
    whole_at       timestamptz,
    -- What the last run found, as a value; NULL if nothing was altered.
    problem        jsonb,
    found_at       timestamptz,
    -- The run in progress. It counts only while it writes here; another one may start half a minute after the last sign.
    run            uuid,
    run_by         text,
    run_whole      boolean     NOT NULL DEFAULT false,
    run_started_at timestamptz,
    run_reached    bigint      NOT NULL DEFAULT 0,
    run_until      bigint      NOT NULL DEFAULT 0,
    beat_at        timestamptz
);
INSERT INTO public.log_verification DEFAULT VALUES;
