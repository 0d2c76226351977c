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

    /// The first record, with every connector DOWN.
    pub(super) fn other_content(&self) -> String {
        let start = self.message.find(" ( ( ").map_or(0, |place| place + 3);
        let mut depth = 0_u32;
        let mut words = Vec::new();
        for word in self.message[start..].split(' ') {
            words.push(word);
            depth += u32::from(word == "(");
            depth -= u32::from(word == ")").min(depth);
            if depth == 0 {
                break;
            }
        }
        words.join(" ").replace("STATE UP", "STATE DOWN")
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, Heard, merged_in_chunks};

    #[test]
    fn news_is_put_together_and_contested() {
        let mut heard = Heard::default();
        let digest = "ab".repeat(32);
        let record = "( 1 {3}RG1 1 {1}m 1 1 0 0 ( {1}m YES ) ( {1}c ( CONFIG STATE UP ) ) )";
        let chunks = [
            format!("FIRST CHUNK={{0}} MULTI (6) ({{0}} NEWS {digest} ( {}", &record[..9]),
            format!("NEXT CHUNK={}", &record[9..20]),
            format!("LAST CHUNK={} ( 2 ) ))", &record[20..]),
        ];
        for chunk in chunks {
            heard.hear(&format!("X-LINK2STATE {chunk}"));
        }
        assert_eq!(heard.digest().as_deref(), Some(digest.as_str()));
        assert_eq!(heard.other_content(), record.replace(" UP ", " DOWN "));
        let reply = merged_in_chunks(&Digest::Same.merged(&digest, &[record]));
        assert!(reply.ends_with(&format!(" MERGED {digest} ( {record} ))\r\n")), "{reply}");
    }
}
