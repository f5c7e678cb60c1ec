//! The service from outside, one module a story, in one program.

mod accounts;
mod api_description;
mod boot_loaders;
mod browser;
mod bulk;
mod dhcp_agent;
mod dhcp_clients;
mod dhcp_reloads;
mod dns_updates;
mod dnsmasq;
mod drift;
mod dry_run;
mod embedded_postgres;
mod event_log;
mod openid;
mod packaging;
mod power;
mod prove;
mod puppet;
mod settings;
mod support;
mod vm_boots;
mod vm_debian_installer;
mod vm_deploys;
mod vm_whole_chain;
mod webhooks;
