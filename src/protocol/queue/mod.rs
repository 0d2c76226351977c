//! The queue: what is durable, where each recipient stands, when it is tried, how it ends.

mod change;
mod destinations;
mod hours;
mod intake;
mod journal;
mod missing;
mod notices;
mod peers;
mod places;
mod quarantine;
mod relay;
mod report;
mod routing;
mod ruling;
mod screening;
mod spool;

pub use change::{Acceptance, Change, Doubtful, Ending, Message, Transfer};
pub use journal::{AccountJournal, AccountState, Answered, Recorded};
pub use peers::SenderRecord;
pub use quarantine::Damage;
pub use report::{AccountRow, MessageRow, QueueRow, RecipientRow};
pub use spool::{ANSWERED_LIMIT, Spool};

pub(crate) use destinations::Rest;
pub(crate) use intake::queue_name;
pub(crate) use missing::Noted;
pub(crate) use peers::Standing;
pub(crate) use places::{Lanes, Work};
pub use places::{Place, Route};
pub(crate) use relay::{Relayed, Relaying};
pub(crate) use routing::{Decision, Home, home};
