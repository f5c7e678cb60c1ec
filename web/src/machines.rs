//! What servers and other machines read without a session: boot scripts and files, DHCP files, DNS zones, and Puppet data.

pub mod dhcp;
pub mod dns;
pub mod puppet;
pub mod pxe;
