//! Decides which requests are answered. TFTP has no authentication and the source address of a request can be forged, so the
//! cost of requests is limited. Does no I/O: callers pass in the time.
//!
//! Requests over a limit are dropped, not refused. A client without a response repeats its request after some seconds, which is
//! the right behaviour for a rack of servers that boot at once; an error would end the boot.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// The limits on requests and transfers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Concurrent transfers. Each takes up to a megabyte of memory, most a tenth of that.
    pub transfers: usize,
    /// Concurrent transfers per address.
    pub transfers_of_client: usize,
    /// Concurrent transfers to which no client has responded yet: a forged address never does.
    pub unanswered: usize,
    /// The same per address. This limits what is sent to a machine that has requested nothing.
    pub unanswered_of_client: usize,
    /// New requests of one address that may arrive at once.
    pub requests_of_client: u32,
    /// The interval at which further requests of one address are answered.
    pub request_interval: Duration,
}

impl Default for Limits {
    /// A server sends two or three requests for each of its boot loaders, and several servers may share one address.
    fn default() -> Self {
        Self {
            transfers: 512,
            transfers_of_client: 32,
            unanswered: 256,
            unanswered_of_client: 16,
            requests_of_client: 50,
            request_interval: Duration::from_millis(100),
        }
    }
}

/// Why a request is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// The address sends requests too often.
    TooOften,
    /// Too many addresses send their first request.
    TooManyClients,
    /// The address has too many transfers.
    ClientBusy,
    /// There are too many transfers.
    Busy,
    /// Too many transfers wait for the first response of their client.
    Unanswered,
    /// The same request is already being answered.
    Repeated,
    /// The packet is not a request, or was not sent to this machine alone.
    Stray,
}

impl Dropped {
    /// Every reason, so that each metric exists from the beginning.
    pub(super) const ALL: [Self; 7] =
        [Self::TooOften, Self::TooManyClients, Self::ClientBusy, Self::Busy, Self::Unanswered, Self::Repeated, Self::Stray];

    /// The name in metrics and in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TooOften => "too_often",
            Self::TooManyClients => "too_many_clients",
            Self::ClientBusy => "client_busy",
            Self::Busy => "busy",
            Self::Unanswered => "unanswered",
            Self::Repeated => "repeated",
            Self::Stray => "stray",
        }
    }
}

/// The maximum number of addresses that are remembered. Forged addresses cannot use more memory than this.
const CLIENTS: usize = 16_384;
/// How often outdated addresses are removed, which requires reading all of them.
const SWEEP: Duration = Duration::from_secs(1);

/// The transfers in progress, and recent requests.
#[derive(Debug)]
pub(super) struct Admission {
    limits: Limits,
    /// For each address, the time at which its past requests no longer count (the generic cell rate algorithm).
    made_up_at: HashMap<IpAddr, Instant>,
    swept_at: Option<Instant>,
    running: HashMap<IpAddr, usize>,
    total: usize,
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, made_up_at: HashMap::new(), swept_at: None, running: HashMap::new(), total: 0 }
    }

    /// Counts a new request of an address, if it may be answered. `unanswered` is the number of transfers without a response of
    /// the client, in total and for this address.
    pub(super) fn begin(&mut self, client: IpAddr, unanswered: (usize, usize), now: Instant) -> Result<(), Dropped> {
        self.send_request(client, now)?;
        let limits = self.limits;
        if self.total >= limits.transfers {
            return Err(Dropped::Busy);
        }
        if unanswered.0 >= limits.unanswered || unanswered.1 >= limits.unanswered_of_client {
            return Err(Dropped::Unanswered);
        }
        let running = self.running.entry(client).or_default();
        if *running >= limits.transfers_of_client {
            return Err(Dropped::ClientBusy);
        }
        *running += 1;
        self.total += 1;
        Ok(())
    }

    /// Counts a packet of an address that requests something, if it may be answered.
    pub(super) fn send_request(&mut self, client: IpAddr, now: Instant) -> Result<(), Dropped> {
        let limits = self.limits;
        if self.made_up_at.len() >= CLIENTS && !self.made_up_at.contains_key(&client) {
            if self.swept_at.is_none_or(|swept_at| now >= swept_at + SWEEP) {
                self.made_up_at.retain(|_, made_up_at| *made_up_at > now);
                self.swept_at = Some(now);
            }
            if self.made_up_at.len() >= CLIENTS {
                return Err(Dropped::TooManyClients);
            }
        }
        let made_up_at = self.made_up_at.get(&client).copied().unwrap_or(now).max(now) + limits.request_interval;
        if made_up_at > now + limits.request_interval * limits.requests_of_client {
            return Err(Dropped::TooOften);
        }
        self.made_up_at.insert(client, made_up_at);
        Ok(())
    }

    /// Records that an answered request has ended.
    pub(super) fn end(&mut self, client: IpAddr) {
        self.total = self.total.saturating_sub(1);
        if let Some(running) = self.running.get_mut(&client) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    /// Every client has responded.
    const NONE: (usize, usize) = (0, 0);

    fn client(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(number))
    }

    fn admission() -> (Admission, Instant) {
        let limits = Limits {
            transfers: 5,
            transfers_of_client: 3,
            requests_of_client: 4,
            request_interval: Duration::from_secs(1),
            ..Limits::default()
        };
        (Admission::new(limits), Instant::now())
    }

    #[test]
    fn an_address_may_send_a_burst_and_then_occasional_requests() {
        let (mut admission, now) = admission();
        for _ in 0..4 {
            assert_eq!(admission.begin(client(1), NONE, now), Ok(()));
            admission.end(client(1));
        }
        assert_eq!(admission.begin(client(1), NONE, now), Err(Dropped::TooOften));
        assert_eq!(admission.begin(client(2), NONE, now), Ok(()), "another address is not concerned");
        let later = now + Duration::from_secs(1);
        assert_eq!(admission.begin(client(1), NONE, later), Ok(()));
        admission.end(client(1));
        assert_eq!(admission.begin(client(1), NONE, later), Err(Dropped::TooOften));
        let much_later = now + Duration::from_mins(1);
        for _ in 0..4 {
            assert_eq!(admission.begin(client(1), NONE, much_later), Ok(()));
            admission.end(client(1));
        }
        assert_eq!(admission.begin(client(1), NONE, much_later), Err(Dropped::TooOften));
    }

    #[test]
    fn transfers_are_limited_for_an_address_and_for_all() {
        let (mut admission, now) = admission();
        for _ in 0..3 {
            assert_eq!(admission.begin(client(1), NONE, now), Ok(()));
        }
        assert_eq!(admission.begin(client(1), NONE, now), Err(Dropped::ClientBusy));
        assert_eq!(admission.begin(client(2), NONE, now), Ok(()));
        assert_eq!(admission.begin(client(3), NONE, now), Ok(()));
        assert_eq!(admission.begin(client(4), NONE, now), Err(Dropped::Busy));
        admission.end(client(1));
        assert_eq!(admission.begin(client(5), NONE, now), Ok(()));
        for one in [1, 1, 2, 3, 5] {
            admission.end(client(one));
        }
        assert!(admission.running.is_empty() && admission.total == 0);
    }

    #[test]
    fn false_addresses_fill_no_memory() {
        let (mut admission, now) = admission();
        let mut begun = 0;
        for number in 0..100_000 {
            if admission.begin(client(number), NONE, now).is_ok() {
                begun += 1;
                admission.end(client(number));
            }
        }
        assert_eq!((begun, admission.made_up_at.len()), (CLIENTS, CLIENTS));
        assert_eq!(admission.begin(client(200_000), NONE, now), Err(Dropped::TooManyClients));
        assert_eq!(admission.begin(client(200_000), NONE, now + Duration::from_secs(2)), Ok(()));
    }
}
