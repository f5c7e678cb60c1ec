-- The result of a download is a code with its values; the web crate writes the sentences.
ALTER TABLE public.image_downloads RENAME COLUMN message TO result;
ALTER TABLE public.image_downloads ALTER COLUMN result TYPE jsonb USING
    CASE WHEN result IS NOT NULL THEN jsonb_build_object('code', 'text', 'text', result) END;
