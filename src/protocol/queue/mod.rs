//! The queue: what is durable, where each recipient stands, when it is tried, how it ends.

mod change;
mod intake;
mod notices;
mod places;
mod relay;
mod report;
mod routing;
mod ruling;
mod spool;

pub use change::{Acceptance, Answered, Change, Message, Recorded, Transfer};
pub use report::{AccountRow, QueueRow, RecipientRow};
pub use spool::{ANSWERED_LIMIT, Spool};

pub(crate) use intake::queue_name;
pub(crate) use places::{Lanes, Work};
pub use places::{Place, Route};
pub(crate) use relay::Relaying;
pub(crate) use routing::{Home, home};
