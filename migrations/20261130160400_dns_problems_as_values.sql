-- Why a record set is not published at its primary is a code with its values; the web crate writes the sentence.
ALTER TABLE public.dns_work ALTER COLUMN problem TYPE jsonb USING
    CASE WHEN problem IS NOT NULL THEN jsonb_build_object('code', 'text', 'text', left(problem, 300)) END;
