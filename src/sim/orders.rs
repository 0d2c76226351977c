//! Operators who interfere while mail is under way: they hold, release, try again, return and remove, let
//! members drain, make other masters, and now and then give up a member that is not lost at all.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::draw::Dice;
use super::network::HostIndex;
use super::world::{Happening, World};
use crate::protocol::operator::{Action, Order, Selection};
use crate::wire::ids::QueueId;

/// Why the operators of a run hold messages.
const REASON: &str = "by an operator of the simulator";

fn about(queue: QueueId, action: Action) -> Order {
    let which = Selection { ids: Vec::from([queue.to_string()]), ..Selection::default() };
    Order::Queue { action, which }
}

fn draw_action(dice: &mut Dice<'_>) -> Action {
    match dice.below("order.action", 8) {
        0 | 1 => Action::Retry,
        2 | 3 => Action::Hold { reason: Some(String::from(REASON)) },
        4 | 5 => Action::Release,
        6 => Action::Bounce { text: None },
        _ => Action::Remove,
    }
}

impl World<'_> {
    /// An operator orders something, and goes on.
    pub(super) fn order_next(&mut self) {
        let Some(every) = self.swarm.orders_every.clone() else { return };
        let next = self.dice().span("order.next", &every);
        if let Some((host, order)) = self.draw_order() {
            self.order(host, order);
        }
        self.schedule(next, Happening::OrderNext);
    }

    /// An order for a member that runs; mostly one about a message in its queue.
    fn draw_order(&mut self) -> Option<(HostIndex, Order)> {
        let running: Vec<HostIndex> =
            (0..self.hosts.len()).filter(|host| self.hosts[*host].is_up()).collect();
        let busy = |host: &HostIndex| !self.hosts[*host].disk.durable().spool.queue.is_empty();
        let busy: Vec<HostIndex> = running.iter().copied().filter(busy).collect();
        let forgets = self.swarm.forgets;
        let kind = self.dice().below("order.kind", 14);
        let hosts = if kind < 10 { &busy } else { &running };
        let host = *self.dice().pick("order.member", hosts)?;
        if kind == 10 {
            let on = self.dice().below("order.drain", 2) == 1;
            return Some((host, Order::Drain { on }));
        }
        if kind == 11 {
            let others: Vec<HostIndex> = (0..self.hosts.len()).filter(|o| *o != host).collect();
            let peer = *self.dice().pick("order.forget", &others).filter(|_| forgets)?;
            let member = self.hosts[peer].config.member.clone();
            return Some((host, Order::Forget { member }));
        }
        if kind == 12 {
            let member = self.hosts[host].config.member.clone();
            return Some((host, Order::Appoint { member }));
        }
        if kind == 13 {
            return Some((host, Order::Transfer { to: None }));
        }
        let queue = &self.hosts[host].disk.durable().spool.queue;
        let queues: Vec<QueueId> = queue.keys().copied().collect();
        let queue = *self.dice().pick("order.queue", &queues)?;
        Some((host, about(queue, draw_action(&mut self.dice()))))
    }

    /// Takes back what operators have left behind at a member: holds, and its draining.
    pub(super) fn end_orders(&mut self, host: HostIndex) {
        // What it has not written yet counts as well.
        let Some(node) = &self.hosts[host].node else { return };
        let spool = node.machine().member().spool();
        let ours = spool.queue.iter().filter(|(_, m)| m.held.as_deref() == Some(REASON));
        let held: Vec<QueueId> = ours.map(|(queue, _)| *queue).collect();
        let drains = spool.draining;
        for queue in held {
            self.order(host, about(queue, Action::Release));
        }
        if drains {
            self.order(host, Order::Drain { on: false });
        }
    }
}
