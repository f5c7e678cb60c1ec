//! Who is answered: TFTP has no login and any address can be written on a request, so that what it costs is limited. Pure: it
//! is told the time.
//!
//! What is over a limit is dropped and not refused. A client that hears nothing asks again after some seconds, which is
//! what a rack of servers that boot at once should do; an error would end its boot.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// What is answered at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Transfers at once. Each takes up to a megabyte, most a tenth of that.
    pub transfers: usize,
    /// Transfers at once of one address.
    pub transfers_of_client: usize,
    /// Transfers at once that no client has answered yet: a forged address never does.
    pub unanswered: usize,
    /// The same of one address. It limits what is sent to a machine that has requested nothing.
    pub unanswered_of_client: usize,
    /// New requests of one address that may come together.
    pub requests_of_client: u32,
    /// How often one more request of one address is answered after that.
    pub request_interval: Duration,
}

impl Default for Limits {
    /// A server asks two or three times for each of its boot loaders; several may be behind one address.
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
    /// Its address asks too often.
    TooOften,
    /// Too many addresses ask for the first time.
    TooManyClients,
    /// Its address has too many transfers.
    ClientBusy,
    /// There are too many transfers.
    Busy,
    /// Too many transfers wait for a first answer of their client.
    Unanswered,
    /// It is the same as one that is being answered.
    Repeated,
    /// It is no request, or was not sent to this machine alone.
    Stray,
}

impl Dropped {
    /// Every reason, so that each is counted from the beginning.
    pub(super) const ALL: [Self; 7] =
        [Self::TooOften, Self::TooManyClients, Self::ClientBusy, Self::Busy, Self::Unanswered, Self::Repeated, Self::Stray];

    /// Its name in measurements and in the log.
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

/// How many addresses are remembered. Whoever writes false ones on requests fills this and no more.
const CLIENTS: usize = 16_384;
/// How often those are looked for that can be forgotten, which takes a look at all of them.
const SWEEP: Duration = Duration::from_secs(1);

/// What is under way, and who has asked lately.
#[derive(Debug)]
pub(super) struct Admission {
    limits: Limits,
    /// For each address, when it will have made up for what it has asked (the generic cell rate algorithm).
    made_up_at: HashMap<IpAddr, Instant>,
    swept_at: Option<Instant>,
    running: HashMap<IpAddr, usize>,
    total: usize,
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, made_up_at: HashMap::new(), swept_at: None, running: HashMap::new(), total: 0 }
    }

    /// Counts a request of an address, if it may be answered. `unanswered` says how many transfers have not been answered yet,
    /// of all and of this address.
    pub(super) fn begin(&mut self, client: IpAddr, unanswered: (usize, usize), now: Instant) -> Result<(), Dropped> {
        self.ask(client, now)?;
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

    /// Counts a packet of an address that asks for something, if it may be answered.
    pub(super) fn ask(&mut self, client: IpAddr, now: Instant) -> Result<(), Dropped> {
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

    /// A request that was begun has ended.
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

    /// Every client has answered.
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
    fn an_address_may_ask_several_times_and_then_now_and_again() {
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
