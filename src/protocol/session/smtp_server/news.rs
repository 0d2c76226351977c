//! `X-LINK2STATE`: news of links, in chunks.

use alloc::format;

use super::{SmtpServer, State};
use crate::clause;
use crate::protocol::linkstate::LinkPdu;
use crate::protocol::member::Pdu;
use crate::protocol::session::{SessionEvent, Tag, Talk};
use crate::wire::link2state::{Chunk, Reassembly, message_reply, next_reply};
use crate::wire::orginfo;
use crate::wire::smtp::{Reply, Status};

impl SmtpServer {
    /// A chunk, from a client whose name is proved.
    pub(super) fn link2state(&mut self, chunk: &Chunk, talk: &mut Talk<'_>) {
        let Some(peer) = &mut self.peer else {
            return self.out_of_order(talk, "X-SUBMIT HELLO first");
        };
        match peer.reassembly.take(chunk) {
            Ok(None) => self.answer(talk, &next_reply()),
            Ok(Some(message)) => self.news(&message, talk),
            Err(error) => {
                clause!(SM_031);
                talk.malformed(Tag::Submit, error.place(), chunk.encode().as_bytes());
                self.blame(talk, &error.reply());
            }
        }
    }

    /// Nothing is kept of a message with a bad line in it.
    pub(super) fn drop_news(&mut self) {
        clause!(SM_031);
        if let Some(peer) = &mut self.peer {
            peer.reassembly = Reassembly::default();
        }
    }

    fn news(&mut self, message: &str, talk: &mut Talk<'_>) {
        match orginfo::decode_message(message).as_deref() {
            Ok([link @ LinkPdu::News { .. }]) => {
                talk.tell(Pdu::Link(link.clone()));
                self.state = State::News;
            }
            Ok(_) => {
                clause!(SM_032);
                self.out_of_order(talk, "A client says NEWS, once in a message");
            }
            Err(error) => {
                talk.malformed(Tag::Submit, *error, message.as_bytes());
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
        let Ok(message) = orginfo::encode_message(core::slice::from_ref(link)) else {
            talk.log(Tag::Submit, SessionEvent::Unspoken);
            let text = "The answer is longer than a message may be";
            return self.refuse(talk, 452, Status::new(4, 3, 0), text);
        };
        peer.merged = true;
        self.answer(talk, &message_reply(&message));
    }
}
