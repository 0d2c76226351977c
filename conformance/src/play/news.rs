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

/// An element with nodes and no record, under the digest of no table.
pub(super) fn with_nodes(nodes: &str) -> String {
    let nodes = if nodes.is_empty() { String::new() } else { format!(" ( {nodes} )") };
    format!("MERGED {NO_DIGEST} (){nodes}")
}

/// An inner node all of whose children have another digest than anybody's.
fn all_different(prefix: &str) -> String {
    format!("( {prefix} INNER{} )", format!(" {NO_DIGEST}").repeat(16))
}

/// How much of a message a line of a reply carries.
const CHUNK: usize = 900;

/// An element as the lines of a reply.
pub(super) fn merged_in_chunks(element: &str) -> String {
    let message = frame(&format!(" MULTI (6) ({})", frame(&format!(" {element}"))));
    let (head, tail) = message.split_at(10);
    let mut reply = format!("200-FIRST CHUNK={head}\r\n");
    let mut rest = tail;
    while rest.len() > CHUNK {
        let (next, later) = rest.split_at(CHUNK);
        reply.push_str(&format!("200-NEXT CHUNK={next}\r\n"));
        rest = later;
    }
    format!("{reply}200 LAST CHUNK={rest}\r\n")
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

    /// Nodes that answer the ones that were told, and differ from them everywhere.
    pub(super) fn all_different(&self) -> String {
        let words: Vec<&str> = self.message.split(' ').collect();
        let told = words.windows(2).filter(|pair| pair[1] == "INNER").map(|pair| pair[0]);
        let mut nodes: Vec<String> = Vec::new();
        for prefix in told {
            let prefix = prefix.trim_start_matches('-');
            nodes.extend((0..16).map(|digit| all_different(&format!("{prefix}{digit:x}"))));
        }
        if !self.message.contains("( ") {
            nodes.push(all_different("-"));
        }
        nodes.join(" ")
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
