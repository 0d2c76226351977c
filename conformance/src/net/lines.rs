//! Cuts a stream into lines.

/// How much of a line is kept. No line that a rule looks for is longer.
const KEPT: usize = 1_024;

/// What has arrived of the line that is under way.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// The lines that `octets` complete, without their ends.
    pub(super) fn complete(&mut self, octets: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for octet in octets {
            if *octet == b'\n' {
                let line = String::from_utf8_lossy(&self.0);
                lines.push(line.strip_suffix('\r').unwrap_or(&line).to_owned());
                self.0.clear();
            } else if self.0.len() < KEPT {
                self.0.push(*octet);
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn a_line_is_complete_with_its_end() {
        let mut lines = Lines::default();
        assert_eq!(lines.complete(b"EH"), Vec::<String>::new());
        assert_eq!(lines.complete(b"LO a\r\nRSET\n\r\nNO"), ["EHLO a", "RSET", ""]);
        assert_eq!(lines.complete(&[b'x'; 5_000]), Vec::<String>::new());
        assert_eq!(lines.complete(b"\n")[0].len(), super::KEPT);
    }
}
