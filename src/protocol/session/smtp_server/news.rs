//! `X-LINK2STATE`: news of links, in chunks.

use alloc::format;

use super::{SmtpServer, State};
use crate::clause;
use crate::protocol::linkstate::LinkPdu;
use crate::protocol::member::Pdu;
use crate::protocol::session::{SessionEvent, Tag, Talk};
use crate::wire::link2state::{
    Chunk, LINE_LIMIT, MESSAGE_LIMIT, ReassemblyError, message_reply, next_reply,
};
use crate::wire::news;
use crate::wire::smtp::{Reply, Status};
use crate::wire::DecodeError;

const VERB: &str = "X-LINK2STATE ";

impl SmtpServer {
    pub(super) fn link2state(&mut self, line: &[u8], talk: &mut Talk<'_>) {
        if self.proved(talk.config.security).is_none() {
            return self.not_a_member(talk);
        }
        let Some(peer) = &mut self.peer else {
            return self.out_of_order(talk, "X-SUBMIT HELLO first");
        };
        if line.len() + "\r\n".len() > LINE_LIMIT {
            clause!(SM_030);
            return self.blame(talk, &Reply::new(500, Status::new(5, 5, 2), "Line too long"));
        }
        let chunk = Chunk::decode(line.get(VERB.len()..).unwrap_or_default());
        let taken = match chunk {
            Ok(chunk) => peer.reassembly.take(&chunk),
            Err(error) => Err(ReassemblyError::Malformed(shifted(error))),
        };
        match taken {
            Ok(None) => self.answer(talk, &next_reply()),
            Ok(Some(message)) => self.news(&message, talk),
            Err(error) => {
                clause!(SM_031);
                talk.misbehaved(Tag::Submit, &format!("no {error}"), line);
                self.blame(talk, &error.reply());
            }
        }
    }

    fn news(&mut self, message: &str, talk: &mut Talk<'_>) {
        match news::decode(message) {
            Ok(link @ LinkPdu::News { .. }) => {
                talk.tell(Pdu::Link(link));
                self.state = State::News;
            }
            Ok(_) => self.out_of_order(talk, "NEWS is what a client says"),
            Err(error) => {
                talk.misbehaved(Tag::Submit, error.expected, message.as_bytes());
                let text = format!("message, {error}");
                self.blame(talk, &Reply::new(501, Status::new(5, 5, 4), &text));
            }
        }
    }

    /// Custody has merged the news, and says what it knows better.
    pub(super) fn news_answered(&mut self, link: &LinkPdu, talk: &mut Talk<'_>) {
        let (LinkPdu::Merged { .. }, Some(peer)) = (link, &mut self.peer) else {
            self.state = State::News;
            return talk.log(Tag::Submit, SessionEvent::Unspoken);
        };
        let message = news::encode(link);
        if message.len() > MESSAGE_LIMIT {
            talk.log(Tag::Submit, SessionEvent::Unspoken);
            let text = "The answer is longer than a message may be";
            return self.refuse(talk, 452, Status::new(4, 3, 0), text);
        }
        peer.merged = true;
        self.answer(talk, &message_reply(&message));
    }
}

const fn shifted(error: DecodeError) -> DecodeError {
    DecodeError { offset: error.offset + VERB.len(), ..error }
}
