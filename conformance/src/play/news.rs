//! What played members hear and say of links on an SMTP connection.

use crate::script::frame;

/// The digest of no table.
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Under which digest a played member answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digest {
    /// The one of no table: what it knows and what it is told always differ.
    None,
    /// The one that it was told: it has the very same table.
    Same,
}

impl Digest {
    /// The element with which news is answered.
    pub(super) fn merged(self, told: &str, records: &[&str]) -> String {
        let digest = if self == Self::Same { told } else { NO_DIGEST };
        let list = match records {
            [] => "()".to_owned(),
            records => format!("( {} )", records.join(" ")),
        };
        format!("MERGED {digest} {list}")
    }
}

/// An element as the lines of a reply.
pub(super) fn merged_in_chunks(element: &str) -> String {
    let message = frame(&format!(" MULTI (6) ({})", frame(&format!(" {element}"))));
    let (head, tail) = message.split_at(10);
    format!("200-FIRST CHUNK={head}\r\n200 LAST CHUNK={tail}\r\n")
}

/// What has come of a message.
#[derive(Default)]
pub(super) struct Heard {
    message: String,
}

impl Heard {
    /// Takes a line, if it is a chunk.
    pub(super) fn hear(&mut self, line: &str) {
        let Some(chunk) = line.strip_prefix("X-LINK2STATE ") else { return };
        let Some((mark, data)) = chunk.split_once("CHUNK=") else { return };
        if mark == "FIRST " {
            self.message.clear();
        }
        self.message.push_str(data);
    }

    /// The digest of the table of whoever tells the news.
    pub(super) fn digest(&self) -> Option<String> {
        let (_, rest) = self.message.split_once(" NEWS ")?;
        rest.split(' ').next().map(str::to_owned)
    }
}
