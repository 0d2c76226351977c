//! Lines of a client: whose they are, how long they may be, and which command they hold.

use alloc::format;
use alloc::string::String;

use super::SmtpServer;
use super::submission::long_auth_line;
use crate::clause;
use crate::protocol::session::Talk;
use crate::wire::framer::EXPECTED_LINE_END;
use crate::wire::smtp::{COMMAND_LINE_LIMIT, Command, Reply, Status};
use crate::wire::{DecodeError, link2state};

impl SmtpServer {
    pub(super) fn line(&mut self, line: &[u8], talk: &mut Talk<'_>) {
        let verb = line.split(|octet| *octet == b' ').next().unwrap_or_default();
        let is_news = verb.eq_ignore_ascii_case(b"X-LINK2STATE");
        let is_for_members = is_news || verb.eq_ignore_ascii_case(b"X-SUBMIT");
        if is_for_members && self.proved(talk.config.security).is_none() {
            return self.not_a_member(talk);
        }
        if is_news && line.len() + "\r\n".len() > link2state::LINE_LIMIT {
            clause!(SM_030);
            self.drop_news();
            let offset = link2state::LINE_LIMIT;
            let error = DecodeError { offset, expected: EXPECTED_LINE_END };
            talk.malformed(self.tag(), error, line);
            return self.blame(talk, &Reply::new(500, Status::new(5, 5, 2), "Line too long"));
        }
        let is_auth = verb.eq_ignore_ascii_case(b"AUTH");
        self.be_wary_behind(line);
        if !is_auth && line.len() + "\r\n".len() > COMMAND_LINE_LIMIT {
            clause!(SM_009);
            return self.blame(talk, &Reply::new(500, Status::new(5, 5, 2), "Line too long"));
        }
        match Command::decode(line) {
            Ok(command) => self.command(command, talk),
            Err(error) if is_auth => self.bad_auth(&error, line, talk),
            Err(error) => {
                clause!(SM_004);
                if is_news {
                    self.drop_news();
                }
                talk.malformed(self.tag(), error.place(), line);
                self.blame(talk, &error.reply());
            }
        }
    }

    pub(super) fn bad_line(&mut self, error: DecodeError, said: &[u8], talk: &mut Talk<'_>) {
        clause!(SM_009);
        self.be_wary_behind(said);
        talk.malformed(self.tag(), error, said);
        if self.wary && self.submission.is_some() && error.expected == EXPECTED_LINE_END {
            clause!(SM_131);
            return self.blame(talk, &long_auth_line());
        }
        let text = if error.expected == EXPECTED_LINE_END {
            String::from("Line too long")
        } else {
            format!("{error}")
        };
        self.blame(talk, &Reply::new(500, Status::new(5, 5, 2), &text));
    }
}
