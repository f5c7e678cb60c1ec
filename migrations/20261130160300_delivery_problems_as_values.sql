-- Why a delivery of a webhook fails is a code with its values; the web crate writes the sentence.
ALTER TABLE public.webhook_progress ALTER COLUMN problem TYPE jsonb USING
    CASE WHEN problem IS NOT NULL THEN jsonb_build_object('code', 'text', 'text', left(problem, 300)) END;
ALTER TABLE public.webhook_lanes ALTER COLUMN problem TYPE jsonb USING
    CASE WHEN problem IS NOT NULL THEN jsonb_build_object('code', 'text', 'text', left(problem, 300)) END;
