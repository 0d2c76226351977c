//! Bodies that the disk has changed, and what the host does about them.

use alloc::format;
use alloc::sync::Arc;

use super::network::{HostIndex, PipeId};
use super::world::{Happening, World};
use crate::kernel::{Input, Span};
use crate::protocol::member;
use crate::protocol::queue::Damage;
use crate::protocol::server::Command;
use crate::wire::message::BodyKey;

impl World<'_> {
    /// A body that a member reads; `None` where it is lost, which no member may let happen.
    pub(super) fn read_body(
        &mut self,
        host: HostIndex,
        key: BodyKey,
    ) -> Result<Option<Arc<[u8]>>, Damage> {
        let one_in = self.swarm.rot_one_in;
        if self.dice().strikes("disk.rot", one_in) {
            self.hosts[host].disk.rot(key);
        }
        let body = self.hosts[host].disk.body(key)?;
        if body.is_none() {
            let name = self.hosts[host].config.member.clone();
            self.checkers.object("C1", &format!("{name} has lost the body {}", key.0));
        }
        Ok(body)
    }

    /// A body that a member wants to look into. It may have ended the message since it asked, by order of
    /// an operator: then it needs the body no more, and may have discarded it.
    pub(super) fn look_into_body(
        &mut self,
        host: HostIndex,
        key: BodyKey,
    ) -> Result<Option<Arc<[u8]>>, Damage> {
        let disk = &self.hosts[host].disk;
        let is_wanted = disk.durable().spool.queue.values().any(|m| m.body.key == key);
        if !is_wanted && disk.body(key)?.is_none() {
            return Ok(None);
        }
        self.read_body(host, key)
    }

    /// The host tells what it found in place of a body, behind what it is doing now.
    pub(super) fn body_checked(&mut self, host: HostIndex, key: BodyKey, damage: Option<Damage>) {
        let life = self.hosts[host].life;
        self.schedule(Span::ZERO, Happening::BodyChecked { host, life, key, damage });
    }

    pub(super) fn tell_body_checked(
        &mut self,
        (host, life): (HostIndex, u32),
        key: BodyKey,
        damage: Option<Damage>,
    ) {
        if self.hosts[host].life == life {
            let command = member::Command::BodyChecked { key, damage };
            self.feed(host, Input::Command(Command::Member(command)));
            self.pump(host);
        }
    }

    /// This end breaks a connection, and knows it behind what it is told now.
    pub(super) fn broken_off(&mut self, pipe: PipeId, side: usize) {
        self.schedule(Span::ZERO, Happening::Lost(pipe, side));
        let delay = self.network_delay("net.reset");
        self.schedule(delay, Happening::Lost(pipe, 1 - side));
    }

    /// An operator puts every body back in order and starts the members that had set one aside.
    pub(super) fn mend_bodies(&mut self) {
        for host in 0..self.hosts.len() {
            let disk = &mut self.hosts[host].disk;
            let has_set_aside = disk.mend() || !disk.mended().is_empty();
            if self.hosts[host].is_up() && has_set_aside {
                self.crash(host);
            }
        }
    }
}
