-- Differences between servers and the views, and the reasons why a comparison or a repair failed, are codes and values; the web
-- crate writes the sentences. A sentence that a view has now becomes the value that a rebuild gives it: events of version 1 are
-- read with their sentence as `text`. A sentence about a check could be longer than a text may be.

UPDATE views.catalogue
   SET spec = spec - 'nature' - 'message' || jsonb_build_object(
           'kind', CASE
               WHEN spec ->> 'message' = '' AND spec ->> 'nature' IN ('missing', 'left_over', 'foreign') THEN
                   jsonb_build_object('code', spec -> 'nature')
               ELSE jsonb_build_object('code', 'text', 'nature', spec -> 'nature', 'text', spec -> 'message')
           END,
           'problem', CASE
               WHEN spec ->> 'problem' IS NOT NULL THEN jsonb_build_object('code', 'text', 'text', spec -> 'problem')
           END)
 WHERE kind = 'drift' AND spec ? 'nature';

ALTER TABLE public.drift_checks ALTER COLUMN problems DROP DEFAULT;
ALTER TABLE public.drift_checks ALTER COLUMN problems TYPE jsonb USING to_jsonb(problems);
ALTER TABLE public.drift_checks ALTER COLUMN problems SET DEFAULT '[]';
UPDATE public.drift_checks
   SET problems = (SELECT jsonb_agg(jsonb_build_object('code', 'text', 'text', left(sentence, 300)) ORDER BY n)
                     FROM jsonb_array_elements_text(problems) WITH ORDINALITY AS old (sentence, n))
 WHERE problems <> '[]';
