-- What DNS primaries and management controllers answered is a code with its values. A sentence that a view has now becomes the
-- value that a rebuild gives it: events of version 2 are read with their sentence as `text`.

UPDATE views.plugin_runs
   SET reason = jsonb_build_object('failed', CASE reason #>> '{failed,system}'
           WHEN 'dns_primary' THEN jsonb_build_object(
               'code', 'dns', 'problem', jsonb_build_object('code', 'text', 'text', reason #> '{failed,detail}'))
           ELSE jsonb_build_object(
               'code', 'controller', 'failure', jsonb_build_object('code', 'text', 'text', reason #> '{failed,detail}'))
       END)
 WHERE reason #>> '{failed,code}' = 'external' AND reason #>> '{failed,system}' IN ('dns_primary', 'management_controller');

UPDATE views.plugin_runs
   SET reason = jsonb_set(reason, '{waiting,problems}', (
           SELECT jsonb_agg(jsonb_build_object('code', 'text', 'text', sentence) ORDER BY n)
             FROM jsonb_array_elements(reason #> '{waiting,problems}') WITH ORDINALITY AS old (sentence, n)))
 WHERE reason #>> '{waiting,code}' = 'dns_primaries' AND jsonb_array_length(reason #> '{waiting,problems}') > 0
   AND jsonb_typeof(reason #> '{waiting,problems,0}') = 'string';
