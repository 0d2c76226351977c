//! The keys of one group in etcd, and what is done with them. Everything but the grant of a lease is one transaction.

use core::fmt;

use etcd_client::{
    Client, Compare, CompareOp, EventType, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse,
    WatchFilterType, WatchOptions,
};

use crate::clause;
use crate::kernel::Span;
use crate::protocol::master::election::{Standing, StoreAsk, StoreWord};
use crate::server::clock::Wait;
use crate::wire::DecodeError;
use crate::wire::ids::MemberName;
use crate::wire::record::Term;
use crate::wire::store::{decode_value, encode_value};

/// Why nothing is known of a question.
#[derive(Debug)]
pub enum StoreError {
    /// etcd refuses, or cannot be reached.
    Etcd(etcd_client::Error),
    /// A value is no term.
    Value(String, DecodeError),
    /// etcd has answered what it must not.
    Odd(&'static str),
    /// No answer came in time.
    Late,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Etcd(error) => write!(f, "{error}"),
            Self::Value(key, error) => {
                write!(f, "the value of `{key}` is no term: {error}; nobody is elected over it")
            }
            Self::Odd(problem) => f.write_str(problem),
            Self::Late => f.write_str("no answer in time"),
        }
    }
}

impl core::error::Error for StoreError {}

impl From<etcd_client::Error> for StoreError {
    fn from(error: etcd_client::Error) -> Self {
        Self::Etcd(error)
    }
}

/// The two keys of a group.
#[derive(Debug)]
pub struct Keys {
    term: String,
    holder: String,
}

impl Keys {
    /// Those of the group of this identity.
    #[must_use]
    pub fn new(prefix: &str, group: &str) -> Self {
        clause!(MA_088);
        Self { term: format!("{prefix}/{group}/term"), holder: format!("{prefix}/{group}/holder") }
    }

    /// Does what is asked. `patience` completes when a question that waits is to be answered.
    ///
    /// # Errors
    /// Nothing is known of what became of the question.
    pub async fn answer(
        &self,
        client: &mut Client,
        ask: &StoreAsk,
        patience: Wait<'_>,
    ) -> Result<StoreWord, StoreError> {
        match ask {
            StoreAsk::Look { member, .. } => self.look(client, member, patience).await,
            StoreAsk::Begin { over, term, lease } => {
                let lease = grant(client, *lease).await?;
                clause!(MA_083);
                let as_read = [
                    is_still(&self.term, over.term.as_ref()),
                    is_still(&self.holder, over.holder.as_ref()),
                ];
                let term = encode_value(term);
                let held = PutOptions::new().with_lease(lease);
                let begun = [
                    TxnOp::put(&*self.term, &*term, None),
                    TxnOp::put(&*self.holder, &*term, Some(held)),
                ];
                self.transact(client, as_read, begun).await
            }
            StoreAsk::Hold { term, lease } => {
                let lease = grant(client, *lease).await?;
                clause!(MA_084);
                let held = PutOptions::new().with_lease(lease);
                let held = TxnOp::put(&*self.holder, encode_value(term), Some(held));
                self.transact(client, [is_still(&self.holder, Some(term))], [held]).await
            }
            StoreAsk::Forget { term } => {
                clause!(MA_086);
                let forgotten = TxnOp::delete(&*self.holder, None);
                self.transact(client, [is_still(&self.holder, Some(term))], [forgotten]).await
            }
        }
    }

    /// What etcd has, once nobody else is the holder or `patience` is over.
    async fn look(
        &self,
        client: &mut Client,
        member: &MemberName,
        patience: Wait<'_>,
    ) -> Result<StoreWord, StoreError> {
        let read = Txn::new().and_then(self.both());
        let response = client.txn(read.clone()).await?;
        let standing = self.standing(&response)?;
        if !standing.is_held_from(member) {
            return Ok(StoreWord::Stands { standing, waited: false });
        }
        clause!(MA_081);
        let revision = response.header().map_or(0, etcd_client::ResponseHeader::revision);
        tokio::select! {
            gone = self.holder_gone(client, revision + 1) => gone?,
            () = patience => {}
        }
        let standing = self.standing(&client.txn(read).await?)?;
        Ok(StoreWord::Stands { standing, waited: true })
    }

    /// Completes when the key of the holder has gone, at this revision or later.
    async fn holder_gone(&self, client: &mut Client, revision: i64) -> Result<(), StoreError> {
        let deletions = WatchOptions::new()
            .with_start_revision(revision)
            .with_filters([WatchFilterType::NoPut]);
        let mut stream = client.watch(&*self.holder, Some(deletions)).await?;
        while let Some(told) = stream.message().await? {
            if told.canceled() {
                return Err(StoreError::Odd("etcd has ended the watch of the holder"));
            }
            if told.events().iter().any(|event| event.event_type() == EventType::Delete) {
                return Ok(());
            }
        }
        Err(StoreError::Odd("etcd has closed the watch of the holder"))
    }

    async fn transact<const C: usize, const O: usize>(
        &self,
        client: &mut Client,
        compares: [Compare; C],
        operations: [TxnOp; O],
    ) -> Result<StoreWord, StoreError> {
        let transaction = Txn::new().when(compares).and_then(operations).or_else(self.both());
        let response = client.txn(transaction).await?;
        if response.succeeded() {
            return Ok(StoreWord::Done);
        }
        Ok(StoreWord::Refused(self.standing(&response)?))
    }

    /// Reads both keys, in the order that [`Keys::standing`] expects.
    fn both(&self) -> [TxnOp; 2] {
        [TxnOp::get(&*self.term, None), TxnOp::get(&*self.holder, None)]
    }

    fn standing(&self, response: &TxnResponse) -> Result<Standing, StoreError> {
        let responses = response.op_responses();
        let [TxnOpResponse::Get(term), TxnOpResponse::Get(holder)] = &responses[..] else {
            return Err(StoreError::Odd("etcd has not answered with both keys"));
        };
        let value = |key: &str, read: &etcd_client::GetResponse| {
            let read = read.kvs().first().map(|pair| decode_value(pair.value()));
            read.transpose().map_err(|error| StoreError::Value(key.into(), error))
        };
        Ok(Standing { term: value(&self.term, term)?, holder: value(&self.holder, holder)? })
    }
}

/// The key has this term, or is not there.
fn is_still(key: &str, term: Option<&Term>) -> Compare {
    match term {
        Some(term) => Compare::value(key, CompareOp::Equal, encode_value(term)),
        None => Compare::version(key, CompareOp::Equal, 0),
    }
}

/// A new lease that lasts this long at least.
async fn grant(client: &mut Client, lease: Span) -> Result<i64, StoreError> {
    let seconds = i64::try_from(lease.0.div_ceil(1_000_000)).expect("five minutes at most");
    clause!(MA_083);
    let granted = client.lease_grant(seconds, None).await?;
    if granted.ttl() < seconds {
        return Err(StoreError::Odd("etcd has granted a lease that is shorter than was asked for"));
    }
    Ok(granted.id())
}
