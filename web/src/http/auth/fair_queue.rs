//! A bounded queue that is served in turns, so that only callers who send much have to wait for it.
//!
//! There are two lanes. The first has users at addresses that they have signed in from before, by user name, and the work of
//! administrators. The other has everyone else, by network. The first lane is served before the other.

use super::address::network;
use bootledger_aggregates::values::user_name::UserName;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The maximum length of a lane.
pub(super) const MOST: usize = 256;
/// The maximum number of entries of a group: a network of 256 IPv4 addresses, or an IPv6 /48.
pub(super) const MOST_OF_GROUP: usize = 16;
/// The maximum number of entries of one address or, in the first lane, of one user name.
pub(super) const MOST_OF_ONE: usize = 4;

/// The caller whose turn an entry waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Turn {
    /// Work of administrators and of commands.
    Trusted,
    /// A user at an address that the user has signed in from before.
    KnownUser(UserName),
    /// A client at an address; `None` if the connection has no address.
    Client(Option<IpAddr>),
}

/// The group of callers that share a turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Group {
    Trusted,
    KnownUser(UserName),
    Network(Option<IpAddr>),
}

impl Turn {
    fn group(&self) -> Group {
        match self {
            Self::Trusted => Group::Trusted,
            Self::KnownUser(name) => Group::KnownUser(name.clone()),
            Self::Client(client) => Group::Network(client.map(neighbourhood)),
        }
    }

    /// The same turn with the network instead of the address.
    fn of_network(self) -> Self {
        match self {
            Self::Client(client) => Self::Client(client.map(network)),
            other => other,
        }
    }

    fn is_first(&self) -> bool {
        !matches!(self, Self::Client(_))
    }

    /// How many entries of this turn, and of its group, may wait.
    fn share(&self) -> (usize, usize) {
        match self {
            Self::Trusted => (MOST, MOST),
            Self::KnownUser(_) => (MOST_OF_ONE, MOST_OF_ONE),
            Self::Client(_) => (MOST_OF_ONE, MOST_OF_GROUP),
        }
    }
}

/// The network that usually belongs to one holder: 256 IPv4 addresses, or an IPv6 /48.
fn neighbourhood(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) & !0xff).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !(u128::MAX >> 48)).into(),
    }
}

/// The reasons why an entry may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The share of this address or network is used up.
    Share,
    /// The whole lane is full, and no caller has a longer queue than this one.
    Full,
}

/// The two lanes.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    first: Lane<T>,
    other: Lane<T>,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { first: Lane::default(), other: Lane::default() }
    }
}

#[derive(Debug)]
struct Lane<T> {
    /// The groups with waiting entries, in the order of their turns.
    order: VecDeque<Group>,
    waiting: HashMap<Group, VecDeque<(Turn, T)>>,
    length: usize,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { order: VecDeque::new(), waiting: HashMap::new(), length: 0 }
    }
}

impl<T> Lanes<T> {
    /// Adds an entry. If there is no room, entries for which `given_up` is true are removed first. If there still is none, the
    /// latest entry of the caller with the most waiting entries is dropped.
    pub(super) fn push(&mut self, turn: Turn, what: T, given_up: impl Fn(&T) -> bool) -> Result<(), Refused> {
        let turn = turn.of_network();
        let lane = if turn.is_first() { &mut self.first } else { &mut self.other };
        lane.push(turn, what, given_up)
    }

    /// Removes the next entry.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.first.pop().or_else(|| self.other.pop())
    }
}

impl<T> Lane<T> {
    fn push(&mut self, turn: Turn, what: T, given_up: impl Fn(&T) -> bool) -> Result<(), Refused> {
        let group = turn.group();
        let (of_one, of_group) = turn.share();
        let own =
            |lane: &Self| lane.waiting.get(&group).map_or(0, |some| some.iter().filter(|(other, _)| *other == turn).count());
        let of_all = |lane: &Self| lane.waiting.get(&group).map_or(0, VecDeque::len);
        if self.length >= MOST || own(self) >= of_one || of_all(self) >= of_group {
            self.forget(given_up);
        }
        if own(self) >= of_one {
            return Err(Refused::Share);
        }
        if of_all(self) >= of_group {
            let heaviest = self.heaviest_in(&group).filter(|(_, count)| *count > own(self) + 1);
            let (heaviest, _) = heaviest.ok_or(Refused::Share)?;
            self.drop_last(&group, |other| *other == heaviest);
        }
        if self.length >= MOST {
            let longest = self.waiting.iter().map(|(group, some)| (group.clone(), some.len())).max_by_key(|(_, count)| *count);
            let longest = longest.filter(|(_, count)| *count > of_all(self) + 1);
            let (longest, _) = longest.ok_or(Refused::Full)?;
            self.drop_last(&longest, |_| true);
        }
        if !self.waiting.contains_key(&group) {
            self.order.push_back(group.clone());
        }
        self.waiting.entry(group).or_default().push_back((turn, what));
        self.length += 1;
        Ok(())
    }

    fn pop(&mut self) -> Option<T> {
        let group = self.order.pop_front()?;
        let some = self.waiting.get_mut(&group)?;
        let (_, what) = some.pop_front()?;
        self.length -= 1;
        if some.is_empty() {
            self.waiting.remove(&group);
        } else {
            self.order.push_back(group);
        }
        Some(what)
    }

    fn forget(&mut self, given_up: impl Fn(&T) -> bool) {
        self.waiting.retain(|_, some| {
            some.retain(|(_, what)| !given_up(what));
            !some.is_empty()
        });
        self.settle();
    }

    /// The address of a group with the most waiting entries, and their number.
    fn heaviest_in(&self, group: &Group) -> Option<(Turn, usize)> {
        let mut counts: HashMap<&Turn, usize> = HashMap::new();
        for (turn, _) in self.waiting.get(group)? {
            *counts.entry(turn).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(turn, count)| (turn.clone(), count))
    }

    /// Drops the latest entry of a group that matches.
    fn drop_last(&mut self, group: &Group, is_it: impl Fn(&Turn) -> bool) {
        let Some(some) = self.waiting.get_mut(group) else { return };
        if let Some(index) = some.iter().rposition(|(turn, _)| is_it(turn)) {
            some.remove(index);
        }
        if some.is_empty() {
            self.waiting.remove(group);
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.order.retain(|group| self.waiting.contains_key(group));
        self.length = self.waiting.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(address: &str) -> Turn {
        Turn::Client(Some(address.parse().expect("an address")))
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the queue passes what waits in it, which is larger")]
    fn never(_: &u32) -> bool {
        false
    }

    /// The position of an entry in the order of service, from 0.
    fn place(lanes: &mut Lanes<u32>, what: u32) -> Option<usize> {
        std::iter::from_fn(|| lanes.pop()).position(|next| next == what)
    }

    #[test]
    fn one_address_has_a_few_waiting_and_is_refused_more_while_others_are_not() {
        let mut lanes = Lanes::default();
        let pushed: Vec<_> = (0..10).map(|n| lanes.push(at("192.0.2.1"), n, never)).collect();
        assert_eq!(pushed.iter().filter(|pushed| pushed.is_ok()).count(), MOST_OF_ONE);
        assert_eq!(pushed[9], Err(Refused::Share));
        assert_eq!(lanes.push(at("192.0.2.2"), 99, never), Ok(()), "the neighbour is not held up");
        assert_eq!(lanes.push(at("198.51.100.1"), 100, never), Ok(()));
        assert_eq!(place(&mut lanes, 100), Some(1), "networks take turns");
    }

    #[test]
    fn an_attacker_with_a_whole_network_has_one_networks_share() {
        let mut lanes = Lanes::default();
        for n in 0..5_000_u32 {
            let _ = lanes.push(at(&format!("2001:db8:7:{:x}::{n:x}", n % 0xffff)), n, never);
        }
        assert_eq!(lanes.other.length, MOST_OF_GROUP);
        assert_eq!(lanes.push(at("203.0.113.5"), 9_999, never), Ok(()));
        assert_eq!(place(&mut lanes, 9_999), Some(1));
    }

    #[test]
    fn a_known_address_is_served_before_any_number_of_others() {
        let mut lanes = Lanes::default();
        for n in 0..10_000_u32 {
            let _ = lanes.push(Turn::Client(Some(Ipv4Addr::from(0x0a00_0000 + n * 256).into())), n, never);
        }
        let ada = || Turn::KnownUser("ada".parse().expect("a name"));
        assert_eq!(lanes.push(ada(), 77_777, never), Ok(()));
        assert_eq!(place(&mut lanes, 77_777), Some(0));
        for n in 0..MOST_OF_ONE {
            assert_eq!(lanes.push(ada(), u32::try_from(n).expect("small"), never), Ok(()));
        }
        assert_eq!(lanes.push(ada(), 5, never), Err(Refused::Share));
    }

    #[test]
    fn a_full_queue_drops_a_request_of_the_client_with_the_most_waiting() {
        let mut lanes = Lanes::default();
        for group in 0..u32::try_from(MOST / 4).expect("small") {
            for n in 0..4 {
                assert_eq!(lanes.push(Turn::Client(Some(Ipv4Addr::from(0x0a00_0000 + group * 256).into())), n, never), Ok(()));
            }
        }
        assert_eq!(lanes.push(at("203.0.113.5"), 9, never), Ok(()));
        assert_eq!(lanes.other.length, MOST);
        assert!(place(&mut lanes, 9).is_some());
    }

    #[test]
    fn abandoned_requests_free_their_places() {
        let mut lanes = Lanes::default();
        for n in 0..4 {
            assert_eq!(lanes.push(at("192.0.2.1"), n, never), Ok(()));
        }
        assert_eq!(lanes.push(at("192.0.2.1"), 9, |what| *what < 2), Ok(()));
        assert_eq!(std::iter::from_fn(|| lanes.pop()).collect::<Vec<_>>(), [2, 3, 9]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_queue_is_bounded_and_no_request_is_lost_or_served_twice(
            steps in proptest::collection::vec((0_u8..3, 0_u16..2_000, any::<bool>()), 0..3_000)
        ) {
            let mut lanes = Lanes::default();
            let mut served = vec![];
            for (n, (kind, whose, serve)) in steps.into_iter().enumerate() {
                let turn = match kind {
                    0 => Turn::KnownUser(format!("user{whose}").parse().expect("a name")),
                    1 => Turn::Client(Some(Ipv4Addr::from(0x0a00_0000 + u32::from(whose) * 32).into())),
                    _ => Turn::Client(None),
                };
                let _ = lanes.push(turn, n, |_| false);
                for lane in [&lanes.first, &lanes.other] {
                    prop_assert!(lane.length <= MOST);
                    prop_assert_eq!(lane.length, lane.waiting.values().map(VecDeque::len).sum::<usize>());
                    prop_assert_eq!(lane.order.len(), lane.waiting.len());
                }
                if serve {
                    served.extend(lanes.pop());
                }
            }
            served.extend(std::iter::from_fn(|| lanes.pop()));
            let mut once = served.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), served.len());
        }
    }
}
