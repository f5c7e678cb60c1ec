-- Telling webhooks what happens. These are no views: what a receiver has taken is known only by its answers, and a rebuild
-- must not forget it. They grow with the aggregates that a receiver is behind with, never with the events.

-- How far each webhook is.
CREATE TABLE public.webhook_progress (
    webhook  text        PRIMARY KEY,
    -- The position of the event that said where it begins: a later one has it begin anew.
    begun    bigint      NOT NULL,
    -- What it shall be told up to here, it was told, or its aggregate is in `webhook_lanes`.
    position bigint      NOT NULL,
    -- Who tells it until when, by the clock of the database: one at a time.
    worker   uuid        NOT NULL,
    until    timestamptz NOT NULL,
    -- When it last took something.
    taken_at timestamptz,
    -- What keeps it from being told anything at all.
    problem  text
);

-- The aggregates that a webhook was not told all of, up to its position. Each of their events waits for the one before.
CREATE TABLE public.webhook_lanes (
    webhook        text        NOT NULL REFERENCES public.webhook_progress ON DELETE CASCADE,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    begun          bigint      NOT NULL,
    -- From here on nothing of the aggregate was taken: a place in the log, and the same in the aggregate's stream.
    position       bigint      NOT NULL,
    sequence       bigint      NOT NULL,
    -- How often the event at this position was tried in vain, since when, and why.
    attempts       integer     NOT NULL,
    since          timestamptz NOT NULL,
    next_try       timestamptz NOT NULL,
    problem        text,
    PRIMARY KEY (webhook, aggregate_type, aggregate_id)
);
