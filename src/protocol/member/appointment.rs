//! How the operator's word about who the master is comes to a member, and from it to the others.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Endpoint, Event, Line, Member, Pdu, Timer, Turn};
use crate::clause;
use crate::kernel::Span;
use crate::protocol::linkstate::LinkCommand;
use crate::protocol::master::Appointment;
use crate::protocol::operator::{Item, Ordered};
use crate::wire::election::ElectionPdu;
use crate::wire::ids::{ConnectionId, MemberName};

/// How long a master by appointment waits before it tells those again that are not attached to it.
pub const HERALD_INTERVAL: Span = Span::seconds(5);

/// What this member does to be known as the master.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Herald {
    /// The timer runs.
    waiting: bool,
    /// How often it has told somebody.
    round: u64,
}

impl Member {
    /// The operator makes this member the master.
    pub(crate) fn order_appointment(
        &mut self,
        member: &MemberName,
        turn: &mut Turn<'_, '_>,
    ) -> Ordered {
        clause!(MA_071);
        let own = turn.config.member.clone();
        let link = turn.config.link();
        let is_master = self.link.master() == Some(&own);
        let refusal = if link.group().election.is_some() {
            Some(String::from(
                "the group elects its master: that one can hand over (transfer); where a majority of the \
                 voters is gone for good, a file of a greater revision can name a master in place of the election",
            ))
        } else if *member != own {
            Some(format!("the order is for {member}: ask that member's own socket"))
        } else if is_master {
            Some(String::from("it is the master already"))
        } else {
            None
        };
        let mut answer = Ordered::default();
        match refusal {
            Some(text) => answer.refused.push(Item::whole(own.as_str(), &text)),
            None => {
                self.command_link(LinkCommand::Appoint, turn);
                answer.done.push(Item::whole(own.as_str(), "is the master of its group"));
            }
        }
        answer
    }

    /// The appointment that this member tells others, and whom: its own to those that are not attached to it, and
    /// that of another one to him, for he may have lost the disk on which it stood.
    fn appointment_to_tell(&self, turn: &Turn<'_, '_>) -> Option<(Appointment, Vec<MemberName>)> {
        let config = turn.config.link();
        let own = self.link.own_appointment(&config);
        let others = || {
            let in_force = self.link.appointment(&config)?;
            let is_other = in_force.term.member != config.member;
            // Whom its file names needs no word of others to be the master.
            let is_named = config.group().master.as_ref() == Some(&in_force.term.member);
            (is_other && !is_named && !turn.fault("nobody-reminds")).then_some(in_force)
        };
        let appointment = own.or_else(others)?;
        let absent = self.link.attachments(&config).into_iter().filter(|row| !row.attached);
        Some((appointment, absent.map(|row| row.member).collect()))
    }

    /// Tells who does not know who is the master by appointment.
    pub(crate) fn herald(&mut self, turn: &mut Turn<'_, '_>) {
        if !self.herald.waiting {
            self.herald_again(turn);
        }
    }

    /// The same, when it is time to do so again.
    pub(crate) fn herald_again(&mut self, turn: &mut Turn<'_, '_>) {
        let to_tell = self.appointment_to_tell(turn);
        self.herald.waiting = to_tell.is_some();
        let Some((_, unaware)) = to_tell else { return };
        clause!(MA_072);
        turn.arm(Timer::Herald, HERALD_INTERVAL);
        let is_told = |member: &MemberName| {
            let mut lines = self.lines.values();
            lines.any(|line| matches!(line, Line::Heralding(told) if told == member))
        };
        let unaware: Vec<_> = unaware.into_iter().filter(|member| !is_told(member)).collect();
        for member in unaware {
            let connection = self.allot();
            self.lines.insert(connection, Line::Heralding(member.clone()));
            turn.cx.open(connection, Endpoint::Convene(member));
        }
    }

    /// A member can be told who is the master.
    pub(crate) fn tell_appointment(&mut self, to: ConnectionId, turn: &mut Turn<'_, '_>) {
        let Some((Appointment { revision, term }, _)) = self.appointment_to_tell(turn) else {
            return self.hang_up(to, turn);
        };
        clause!(WI_125);
        self.herald.round += 1;
        let pdu = ElectionPdu::Appointed { round: self.herald.round, term, revision };
        turn.promise(to, Pdu::Election { by: turn.config.member.clone(), pdu });
    }

    /// The member has heard it. If it refuses with a greater term, that one is in force.
    pub(crate) fn appointment_answered(
        &mut self,
        from: ConnectionId,
        pdu: ElectionPdu,
        turn: &mut Turn<'_, '_>,
    ) {
        self.hang_up(from, turn);
        match (pdu, self.appointment_to_tell(turn)) {
            (ElectionPdu::Refuse { known: Some(term), .. }, Some((told, _)))
                if term > told.term
                    && turn.config.link().group().members.contains(&term.member) =>
            {
                clause!(MA_074);
                // It was compared with the revision that was told, and is greater than that.
                let appointment = Appointment { revision: told.revision, term };
                self.command_link(LinkCommand::Appointed(appointment), turn);
            }
            (ElectionPdu::Refuse { .. } | ElectionPdu::Obeyed { .. }, _) => {}
            _ => {
                let problem = String::from("expected OBEYED or REFUSE");
                turn.tell(Event::Misbehaved { connection: from, problem });
            }
        }
    }

    /// Somebody says that the operator has made it the master, or this member.
    pub(crate) fn told_of_appointment(
        &mut self,
        (from, by): (ConnectionId, MemberName),
        round: u64,
        appointment: Appointment,
        turn: &mut Turn<'_, '_>,
    ) {
        clause!(WI_125);
        let config = turn.config.link();
        let is_theirs = [&by, &config.member].contains(&&appointment.term.member);
        if !is_theirs || !config.group().members.contains(&by) {
            let problem = format!("{by} tells of a master that is not its to tell of");
            turn.tell(Event::Misbehaved { connection: from, problem });
            return turn.cx.close(from);
        }
        clause!(MA_073);
        let member = appointment.term.member.clone();
        self.command_link(LinkCommand::Appointed(appointment), turn);
        let in_force = self.link.appointment(&config);
        let answer = if in_force.as_ref().is_some_and(|in_force| in_force.term.member == member) {
            ElectionPdu::Obeyed { round }
        } else {
            let known = in_force.map(|in_force| in_force.term);
            ElectionPdu::Refuse { round, known, seats: None }
        };
        let own = turn.config.member.clone();
        turn.promise(from, Pdu::Election { by: own, pdu: answer });
    }
}
