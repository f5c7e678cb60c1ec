//! The DNS primary of a zone: signed updates, and signed queries about what it holds.

use super::connection::{Connection, FUDGE, code};
use super::records::{Kind, Records, Update};
use base64::Engine;
use bootledger_aggregates::drift::DriftProblem;
use bootledger_aggregates::site::{DnsUpdates, TsigAlgorithm};
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::zone::Zone;
use bootledger_outbound::Guard;
use bootledger_secrets::{NoSecret, Secrets};
use hickory_proto::ProtoError;
use hickory_proto::op::{Message, OpCode, Query, ResponseCode, UpdateMessage};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm as Hmac;
use hickory_proto::rr::rdata::{A, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, TSigner};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::SocketAddr;

pub(super) use super::connection::Trouble;

/// The maximum number of queries in progress at the same time.
pub(super) const AT_ONCE: usize = 32;

impl From<ProtoError> for Trouble {
    fn from(error: ProtoError) -> Self {
        Self::internal(&error.to_string())
    }
}

/// What a primary holds for a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PrimaryRecords {
    /// The values of the queried records.
    pub(super) values: BTreeSet<String>,
    /// The canonical name, if the name is an alias (CNAME).
    pub(super) alias: Option<String>,
}

/// A connection to the primary of a zone.
pub(super) struct Primary {
    connection: Connection,
}

impl Primary {
    /// Connects over TCP, because updates of many records and some responses are larger than a datagram.
    pub(super) async fn connect(updates: &DnsUpdates, secrets: &Secrets, guard: &Guard) -> Result<Self, DriftProblem> {
        let secret = secrets.read(&updates.key.secret).map_err(unreadable)?;
        guard.check(updates.primary).map_err(|refused| DriftProblem::AddressNotAllowed {
            address: updates.primary,
            option: Text::fitted(refused.option),
        })?;
        let key = base64::engine::general_purpose::STANDARD.decode(secret.expose());
        let key = key.map_err(|_| DriftProblem::SecretMalformed { secret: updates.key.secret.clone() })?;
        let algorithm = match updates.key.algorithm {
            TsigAlgorithm::HmacSha256 => Hmac::HmacSha256,
            TsigAlgorithm::HmacSha384 => Hmac::HmacSha384,
            TsigAlgorithm::HmacSha512 => Hmac::HmacSha512,
        };
        let unusable = |error: &dyn Display| DriftProblem::KeyUnusable {
            key: updates.key.name.clone(),
            detail: Text::fitted(&error.to_string()),
        };
        let signer_name = labels(updates.key.name.as_str()).map_err(|error| unusable(&error))?;
        let signer = TSigner::new(key, algorithm, signer_name, FUDGE).map_err(|error| unusable(&error))?;
        let address = SocketAddr::new(updates.primary, updates.port.get());
        Ok(Self { connection: Connection::open(address, &updates.key, signer).await? })
    }

    /// The address and port of the primary.
    pub(super) fn address(&self) -> SocketAddr {
        self.connection.address()
    }

    /// The name of the key that signs messages.
    pub(super) fn key(&self) -> &DomainName {
        &self.connection.key().name
    }

    /// Sends updates of one zone in one message: either all take effect, or none.
    pub(super) async fn update(&self, zone: &Zone, updates: &[Update<'_>]) -> Result<(), Trouble> {
        let mut message = update_of(zone)?;
        for update in updates {
            let owner = name(&update.records.name)?;
            let kind = update.records.kind;
            let record = |value: &String, ttl, class| {
                let mut record = Record::from_rdata(owner.clone(), ttl, data(kind, value)?);
                record.dns_class = class;
                Ok::<_, Trouble>(record)
            };
            match &update.held {
                // RFC 2136, section 2.4.3: the record set does not exist.
                Some(held) if held.is_empty() => add_prerequisite(&mut message, &owner, record_type(kind), DNSClass::NONE),
                // Section 2.4.2: the record set exists with exactly these values.
                Some(held) => {
                    for value in held {
                        message.add_pre_requisite(record(value, 0, DNSClass::IN)?);
                    }
                }
                None => {}
            }
            for value in &update.removed {
                message.add_update(record(value, 0, DNSClass::NONE)?);
            }
            for value in &update.added {
                message.add_update(record(value, zone.ttl(), DNSClass::IN)?);
            }
        }
        let answer = self.connection.send(message).await?;
        match answer.response_code {
            ResponseCode::NoError => Ok(()),
            ResponseCode::YXRRSet | ResponseCode::NXRRSet | ResponseCode::YXDomain | ResponseCode::NXDomain => {
                Err(Trouble::HoldsElse)
            }
            refused => Err(Trouble::Other(DriftProblem::Refused {
                primary: self.address(),
                key: self.key().clone(),
                zone: zone.name.clone(),
                response: Text::fitted(&code(refused)),
            })),
        }
    }

    /// The records of the name itself. Records that only a wildcard provides do not count: an update cannot remove them, and
    /// our records replace them.
    pub(super) async fn look(&self, zone: &Zone, records: &Records) -> Result<PrimaryRecords, Trouble> {
        let found = self.query_records(&records.name, records.kind).await?;
        let as_wanted = found.alias.is_none() && found.values == records.wanted;
        if as_wanted || found == PrimaryRecords::default() {
            return Ok(found);
        }
        let kind = if found.alias.is_some() { RecordType::CNAME } else { record_type(records.kind) };
        Ok(if self.has(zone, &records.name, kind).await? { found } else { PrimaryRecords::default() })
    }

    /// Whether the name itself has records of a type, tested with the prerequisite of an update that changes nothing (RFC 2136,
    /// section 2.4.1).
    async fn has(&self, zone: &Zone, owner: &str, kind: RecordType) -> Result<bool, Trouble> {
        let mut message = update_of(zone)?;
        add_prerequisite(&mut message, &name(owner)?, kind, DNSClass::ANY);
        let answer = self.connection.send(message).await?;
        // If that cannot be determined, the response counts as it is. No records of others are changed because of it.
        Ok(!matches!(answer.response_code, ResponseCode::NXRRSet | ResponseCode::NXDomain))
    }

    /// The primary's own, authoritative response. A response from a cache does not count.
    async fn query_records(&self, owner: &str, kind: Kind) -> Result<PrimaryRecords, Trouble> {
        let requested = name(owner)?;
        let mut query = Message::query();
        query.metadata.recursion_desired = false;
        query.add_query(Query::query(requested.clone(), record_type(kind)));
        let answer = self.connection.send(query).await?;
        if !matches!(answer.response_code, ResponseCode::NoError | ResponseCode::NXDomain) || !answer.authoritative {
            return Err(Trouble::Other(DriftProblem::NotAuthoritative {
                primary: self.address(),
                key: self.key().clone(),
                name: Text::fitted(owner),
                response: Text::fitted(&code(answer.response_code)),
            }));
        }
        let mut found = PrimaryRecords::default();
        // A response also contains the signatures of a signed zone, and the records that an alias leads to.
        for record in answer.answers.iter().filter(|record| record.name == requested) {
            match &record.data {
                RData::A(address) if kind == Kind::A => drop(found.values.insert(address.0.to_string())),
                RData::PTR(host) if kind == Kind::Ptr => drop(found.values.insert(text(host))),
                RData::CNAME(alias) => found.alias = Some(text(alias)),
                _ => {}
            }
        }
        Ok(found)
    }
}

fn update_of(zone: &Zone) -> Result<Message, Trouble> {
    let mut message = Message::query();
    message.metadata.op_code = OpCode::Update;
    message.metadata.recursion_desired = false;
    message.add_zone(Query::query(name(zone.name.as_str())?, RecordType::SOA));
    Ok(message)
}

/// Adds the prerequisite that a record set exists (`ANY`) or does not (`NONE`), regardless of its values.
fn add_prerequisite(message: &mut Message, owner: &Name, kind: RecordType, class: DNSClass) {
    let mut record = Record::update0(owner.clone(), 0, kind).into_record_of_rdata();
    record.dns_class = class;
    message.add_pre_requisite(record);
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Ptr => RecordType::PTR,
    }
}

fn data(kind: Kind, value: &str) -> Result<RData, Trouble> {
    let damaged = || Trouble::internal(&format!("the views have a {} record with the value {value:?}", kind.name()));
    Ok(match kind {
        Kind::A => RData::A(A(value.parse().map_err(|_| damaged())?)),
        Kind::Ptr => RData::PTR(PTR(name(value)?)),
    })
}

/// Parses a name label by label, since the names of RFC 2317 contain a slash.
fn labels(text: &str) -> Result<Name, ProtoError> {
    Name::from_labels(text.split('.').map(str::as_bytes))
}

fn name(text: &str) -> Result<Name, Trouble> {
    Ok(labels(text)?)
}

fn unreadable(error: NoSecret) -> DriftProblem {
    match error {
        NoSecret::Missing { name, variable } => DriftProblem::SecretMissing { secret: name, variable: Text::fitted(&variable) },
        NoSecret::Unusable { name, problem } => DriftProblem::SecretUnusable { secret: name, detail: Text::fitted(&problem) },
    }
}

fn text(name: &Name) -> String {
    name.to_lowercase().to_string().trim_end_matches('.').to_owned()
}
