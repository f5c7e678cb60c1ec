-- Search, and the pages of addresses, interfaces and host names: who held a value, and when. They read all versions of the
-- rows, so these indexes contain past rows, too. A prefix is a range of text in byte order, in every locale.
CREATE INDEX holdings_by_value ON views.holdings (value text_pattern_ops, valid_from);
-- The addresses of a range at a past position.
CREATE INDEX holdings_by_ip ON views.holdings (ip) WHERE ip IS NOT NULL;
CREATE INDEX dns_records_by_value ON views.dns_records (value, valid_from);
CREATE INDEX dhcp_entries_by_mac ON views.dhcp_entries (mac, valid_from);
CREATE INDEX dhcp_entries_by_hostname ON views.dhcp_entries (hostname, valid_from) WHERE hostname IS NOT NULL;

-- The deployments of an address, an interface or a host name. These values never change, so the current rows suffice for the
-- past.
CREATE INDEX deployments_now_by_mac ON views.deployments (mac text_pattern_ops, id) WHERE valid_to IS NULL;
CREATE INDEX deployments_now_by_hostname_text ON views.deployments (hostname text_pattern_ops) WHERE valid_to IS NULL;
-- Why deployments were cancelled or marked done.
CREATE INDEX deployments_now_by_reason ON views.deployments USING gin (lower(reason) public.gin_trgm_ops)
 WHERE valid_to IS NULL AND reason IS NOT NULL;
