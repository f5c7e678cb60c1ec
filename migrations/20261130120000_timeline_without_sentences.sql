-- Sentences are wording, not data: the web crate writes them from the events when it shows the timeline. Everything that they
-- need is in the events and in the temporal views, so no row has to be rebuilt.
ALTER TABLE views.timeline DROP COLUMN sentence;
