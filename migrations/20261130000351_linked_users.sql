-- Users by who they are to the OpenID Connect provider: the name that the provider gives may change.
CREATE INDEX catalogue_now_linked_users ON views.catalogue ((spec #>> '{link,subject}'))
 WHERE kind = 'user' AND valid_to IS NULL;
