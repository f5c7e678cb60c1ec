//! A connection to a zone's primary: signed updates, and questions.

use super::records::{Kind, Update};
use crate::secrets::Secret;
use base64::Engine;
use bootledger_aggregates::site::{DnsUpdates, TsigAlgorithm};
use bootledger_aggregates::values::hostname::DomainName;
use bootledger_outbound::Guard;
use futures::StreamExt;
use hickory_net::NetError;
use hickory_net::client::Client;
use hickory_net::proto::ProtoError;
use hickory_net::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, OpCode, Query, ResponseCode, UpdateMessage};
use hickory_net::proto::rr::rdata::tsig::TsigAlgorithm as Hmac;
use hickory_net::proto::rr::rdata::{A, PTR};
use hickory_net::proto::rr::{DNSClass, Name, RData, Record, RecordType, TSigner};
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::xfer::{DnsHandle, DnsMultiplexer};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use tracing::warn;

/// How long answers may be kept, in seconds: a redeployed host moves within minutes. The zone files say the same.
const TTL: u32 = 300;
/// How long the primary may take to be reached, and to answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// How many questions are on their way at once: as many as hickory queues for a connection; one more would fail.
pub(super) const AT_ONCE: usize = 32;
/// By how many seconds clocks may differ (RFC 8945, 10).
const FUDGE: u16 = 300;

/// Why an update or a question came to nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// The primary holds something else than the update said: nothing of it was done.
    #[error("the primary holds something else")]
    HoldsElse,
    /// The primary answers nothing any more, in words.
    #[error("{0}")]
    Gone(String),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

impl From<ProtoError> for Trouble {
    fn from(error: ProtoError) -> Self {
        Self::Other(error.to_string())
    }
}

/// What a primary has under a name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The values of the records that were asked for.
    pub(super) values: BTreeSet<String>,
    /// The name that it is an alias of.
    pub(super) alias: Option<String>,
}

/// A connection.
pub(super) struct Primary {
    client: Client<TokioRuntimeProvider>,
    address: SocketAddr,
}

impl Primary {
    /// Connects over TCP: updates of many records are larger than a datagram.
    pub(super) async fn connect(updates: &DnsUpdates, secret: &Secret, guard: &Guard) -> Result<Self, Trouble> {
        guard.check(updates.primary).map_err(|refused| Trouble::Other(refused.to_string()))?;
        let key = base64::engine::general_purpose::STANDARD.decode(secret.expose());
        let key = key.map_err(|_| {
            Trouble::Other(format!("the secret {} is no key in base64, as `tsig-keygen` prints it", updates.key.secret))
        })?;
        let algorithm = match updates.key.algorithm {
            TsigAlgorithm::HmacSha256 => Hmac::HmacSha256,
            TsigAlgorithm::HmacSha384 => Hmac::HmacSha384,
            TsigAlgorithm::HmacSha512 => Hmac::HmacSha512,
        };
        let signer = TSigner::new(key, algorithm, name(updates.key.name.as_str())?, FUDGE);
        let signer = signer.map_err(|error| Trouble::Other(format!("the key {} cannot be used: {error}", updates.key.name)))?;
        let address = SocketAddr::new(updates.primary, updates.port.get());
        let (connecting, sender) = TcpClientStream::new(address, None, Some(DEADLINE), TokioRuntimeProvider::new());
        let stream =
            connecting.await.map_err(|error| Trouble::Other(unanswered(address, &format!("it cannot be reached: {error}"))))?;
        let multiplexer = DnsMultiplexer::new(stream, sender).with_timeout(2 * DEADLINE).with_signer(signer);
        let (client, background) = Client::from_sender(multiplexer.with_max_active_requests(2 * AT_ONCE));
        tokio::spawn(background);
        Ok(Self { client, address })
    }

    /// Sends updates of one zone as one message: all are done, or none.
    pub(super) async fn update(&self, zone: &DomainName, updates: &[Update<'_>]) -> Result<(), Trouble> {
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.metadata.recursion_desired = false;
        message.add_zone(Query::query(name(zone.as_str())?, RecordType::SOA));
        for update in updates {
            let owner = name(&update.records.name)?;
            let kind = update.records.kind;
            let record = |value: &String, ttl, class| {
                let mut record = Record::from_rdata(owner.clone(), ttl, data(kind, value)?);
                record.dns_class = class;
                Ok::<_, Trouble>(record)
            };
            match &update.held {
                // RFC 2136, 2.4.3: there is no such set.
                Some(held) if held.is_empty() => {
                    let mut none = Record::update0(owner.clone(), 0, record_type(kind)).into_record_of_rdata();
                    none.dns_class = DNSClass::NONE;
                    message.add_pre_requisite(none);
                }
                // 2.4.2: the set is this, to the letter.
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
                message.add_update(record(value, TTL, DNSClass::IN)?);
            }
        }
        let answer = self.send(DnsRequest::new(message, DnsRequestOptions::default())).await?;
        match answer.response_code {
            ResponseCode::NoError => Ok(()),
            ResponseCode::YXRRSet | ResponseCode::NXRRSet | ResponseCode::YXDomain | ResponseCode::NXDomain => {
                Err(Trouble::HoldsElse)
            }
            code => Err(Trouble::Other(format!(
                "{} refuses updates of zone {zone} ({code}); check there that it is the zone's primary and that the key may update it",
                self.address
            ))),
        }
    }

    /// What the primary itself has: an answer of another server's cache is none.
    pub(super) async fn ask(&self, owner: &str, kind: Kind) -> Result<Found, Trouble> {
        let asked = name(owner)?;
        let mut options = DnsRequestOptions::default();
        options.recursion_desired = false;
        let mut query = Message::query();
        query.metadata.recursion_desired = false;
        query.add_query(Query::query(asked.clone(), record_type(kind)));
        let answer = self.send(DnsRequest::new(query, options)).await?;
        if !matches!(answer.response_code, ResponseCode::NoError | ResponseCode::NXDomain) || !answer.authoritative {
            return Err(Trouble::Other(format!(
                "{} does not answer for {owner} with authority ({}); check there that it serves the zone",
                self.address, answer.response_code
            )));
        }
        let mut found = Found::default();
        for record in answer.answers.iter().filter(|record| record.name == asked) {
            match &record.data {
                RData::A(address) if kind == Kind::A => drop(found.values.insert(address.0.to_string())),
                RData::PTR(host) if kind == Kind::Ptr => drop(found.values.insert(text(host))),
                RData::CNAME(alias) => found.alias = Some(text(alias)),
                _ => {}
            }
        }
        Ok(found)
    }

    async fn send(&self, request: DnsRequest) -> Result<DnsResponse, Trouble> {
        let silent = |_| Trouble::Gone(unanswered(self.address, &format!("it did not answer within {} s", DEADLINE.as_secs())));
        let answer = tokio::time::timeout(DEADLINE, self.client.send(request).next()).await.map_err(silent)?;
        let closed = || Trouble::Gone(unanswered(self.address, "it closed the connection"));
        answer.ok_or_else(closed)?.map_err(|error| {
            // Such as an answer without a signature, which is how a key is refused.
            if !matches!(error, NetError::Proto(_)) {
                return Trouble::Other(unanswered(self.address, &error.to_string()));
            }
            Trouble::Other(format!(
                "{}: check that the key's name, algorithm and secret, and the clocks, are the same there; {error}",
                self.address
            ))
        })
    }
}

/// What everybody reads where nothing at this address answered as a primary does, whatever the reason: it does not tell which
/// ports of which hosts are open. The log has the details.
fn unanswered(address: SocketAddr, details: &str) -> String {
    warn!(primary = %address, details, "a DNS primary did not answer");
    format!("{address} did not answer as a DNS primary that takes updates. The service's log has the details")
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Ptr => RecordType::PTR,
    }
}

fn data(kind: Kind, value: &str) -> Result<RData, Trouble> {
    let damaged = || Trouble::Other(format!("the views have a {} record with the value {value:?}", kind.name()));
    Ok(match kind {
        Kind::A => RData::A(A(value.parse().map_err(|_| damaged())?)),
        Kind::Ptr => RData::PTR(PTR(name(value)?)),
    })
}

/// A name label by label: those of RFC 2317 have a slash.
fn name(text: &str) -> Result<Name, Trouble> {
    Ok(Name::from_labels(text.split('.').map(str::as_bytes))?)
}

fn text(name: &Name) -> String {
    name.to_lowercase().to_string().trim_end_matches('.').to_owned()
}
