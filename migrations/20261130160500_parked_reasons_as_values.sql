-- Why an event is parked is a code with its values. A sentence that the view has now becomes the value that a rebuild gives it.
ALTER TABLE views.parked ALTER COLUMN reason TYPE jsonb USING CASE
    WHEN reason ~ '^follows parked event [0-9]{1,18}$' THEN
        jsonb_build_object('code', 'follows', 'position', substring(reason FROM '[0-9]+$')::bigint)
    WHEN reason LIKE 'it cannot be read: %' THEN
        jsonb_build_object('code', 'unreadable', 'detail', substr(reason, length('it cannot be read: ') + 1))
    WHEN reason ~ '^deployment \S+ has started already$' OR reason ~ '^device \S+ is registered already$' THEN
        jsonb_build_object('code', 'exists')
    WHEN reason = '' OR reason LIKE 'there is no %' THEN
        jsonb_build_object('code', 'unknown')
    WHEN reason ~ '^the plan of deployment \S+ has no plugin \S+$' THEN
        jsonb_build_object('code', 'plugin_unknown', 'plugin', substring(reason FROM '\S+$'))
    WHEN reason ~ '^it gives [a-z]+ .* to (device|deployment) \S+, but (device|deployment) \S+ holds that$' THEN
        jsonb_build_object(
            'code', 'claimed',
            'kind', substring(reason FROM '^it gives ([a-z]+) '),
            'value', substring(reason FROM '^it gives [a-z]+ (.*) to (?:device|deployment) \S+, but (?:device|deployment) \S+ holds that$'),
            'taker', substring(reason FROM ' to ((?:device|deployment) \S+), but (?:device|deployment) \S+ holds that$'),
            'holder', substring(reason FROM ', but ((?:device|deployment) \S+) holds that$'))
    WHEN reason LIKE 'what the views hold of it cannot be read: %' THEN
        jsonb_build_object('code', 'damaged', 'detail', substr(reason, length('what the views hold of it cannot be read: ') + 1))
    WHEN reason LIKE 'it cannot be written as JSON: %' THEN
        jsonb_build_object('code', 'unwritable', 'detail', substr(reason, length('it cannot be written as JSON: ') + 1))
    ELSE jsonb_build_object('code', 'text', 'text', reason)
END;
