//! Configuration of DHCP servers, and their confirmations.
