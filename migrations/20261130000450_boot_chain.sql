-- The loaders that a server's firmware starts, as chosen when its deployment started: the DHCP configuration names another boot
-- file for firmware with Secure Boot. Deployments of before had an iPXE.
ALTER TABLE views.deployments ADD COLUMN boot_chain text NOT NULL DEFAULT 'ipxe';
