//! STARTTLS.

use super::{SmtpServer, State};
use crate::clause;
use crate::protocol::member::Security;
use crate::protocol::server::Wire;
use crate::protocol::session::Talk;
use crate::wire::ids::MemberName;
use crate::wire::smtp::{Reply, Status};

impl SmtpServer {
    pub(super) fn may_start_tls(&self, security: Security) -> bool {
        security == Security::Tls && !self.secured
    }

    pub(super) fn start_tls(&mut self, talk: &mut Talk<'_>) {
        if !self.may_start_tls(talk.config.security) {
            let reply = Reply::new(502, Status::new(5, 5, 1), "STARTTLS is not offered here");
            return self.blame(talk, &reply);
        }
        if self.greeting.is_none() {
            return self.out_of_order(talk, "EHLO first");
        }
        clause!(SM_006);
        Self::reply(talk, &Reply::new(220, Status::new(2, 0, 0), "Ready to start TLS"));
        talk.say(Wire::StartTls);
        self.state = State::Securing;
    }

    /// For planted bugs: whoever says the name of a member has it.
    pub(super) fn believe(&mut self, name: &str, talk: &Talk<'_>) {
        let fault = match self.submission {
            None => "certificate-name-not-checked",
            Some(_) => "members-on-submission-port",
        };
        if self.secured && talk.config.faults.is_on(fault) {
            self.candidate = Some(MemberName(name.into()));
        }
    }

    /// TLS is on: everything that was said in clear is void.
    pub(super) fn secured(&mut self, member: Option<MemberName>, talk: &mut Talk<'_>) {
        clause!(SM_006);
        self.secured = true;
        self.candidate = member.filter(|_| self.submission.is_none());
        self.greeting = None;
        self.transaction = None;
        self.listen(talk);
    }
}
