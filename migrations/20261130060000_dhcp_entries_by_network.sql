-- DHCP entries that no network serves are looked for with every request that watches the service. In the order of their networks
-- and addresses, those outside of a network are before its first or behind its last address: two places of an index for each
-- network, where every entry and device was read before.
CREATE INDEX dhcp_entries_now_network_ip ON views.dhcp_entries (network, ip) WHERE valid_to IS NULL;
DROP INDEX views.dhcp_entries_now_network;
