//! SMTP and LMTP: commands and replies.

pub mod auth;
mod command;
mod extensions;
mod params;
mod path;
mod reply;
pub mod xtext;

pub use command::{BodyKind, COMMAND_LINE_LIMIT, Command, CommandError, Mail, Rcpt};
pub use extensions::Extensions;
pub use params::{ENVID_LIMIT, ORCPT_LIMIT};
pub(super) use path::forward_path;
pub use path::{DOMAIN_LIMIT, LABEL_LIMIT, LOCAL_PART_LIMIT, PATH_LIMIT};
pub use reply::{
    REPLY_LINE_LIMIT, REPLY_LINES_LIMIT, REPLY_TEXT_LIMIT, Reply, ReplyReader, Status,
};

use crate::wire::DecodeError;
use crate::wire::message::Address;

/// Reads `local@domain`, as strictly as a path.
///
/// # Errors
/// Where it is no mailbox.
pub fn decode_address(text: &str) -> Result<Address, DecodeError> {
    let printable = super::parse::text_of(text.as_bytes())?;
    super::parse::whole(printable, "the end of the address", path::mailbox)
}
