//! Disks that do not keep what was written to them: lost, or set back to an earlier time. The assumption of
//! the specification is broken then, and what may be double must be marked.

use alloc::string::String;
use alloc::vec::Vec;

use super::disk::Disk;
use super::host::Host;
use super::maildir::Maildirs;
use super::network::HostIndex;
use super::world::World;

/// What a machine's disk was like once: spool, journal and accounts.
#[derive(Clone, Debug, Default)]
pub struct Image {
    disk: Disk,
    maildirs: Maildirs,
}

impl World<'_> {
    /// Makes a backup of a member's machine.
    pub fn take_image(&mut self, host: HostIndex) {
        let at = &mut self.hosts[host];
        at.image = Some(Image { disk: at.disk.image(), maildirs: at.maildirs.clone() });
    }

    /// A member that is down comes back with an empty disk.
    pub fn lose_disk(&mut self, host: HostIndex) {
        self.log.row(self.now, self.hosts[host].name(), "disk", || String::from("lost"));
        self.set_back(host, Image::default());
    }

    /// A member that is down comes back with what its backup has; `false` if there is none.
    pub fn roll_back(&mut self, host: HostIndex) -> bool {
        let Some(image) = self.hosts[host].image.clone() else { return false };
        self.log.row(self.now, self.hosts[host].name(), "disk", || String::from("rolled back"));
        self.set_back(host, image);
        true
    }

    fn set_back(&mut self, host: HostIndex, image: Image) {
        let at = &mut self.hosts[host];
        assert!(!at.is_up(), "the disk of a running member stays");
        let before: Vec<_> = published(at).collect();
        at.disk.replace(image.disk);
        at.maildirs = image.maildirs;
        let after: Vec<_> = published(at).collect();
        let gone = before.into_iter().filter(|copy| !after.contains(copy)).collect();
        self.checkers.set_back(&self.hosts[host], host, gone);
    }

    /// The swarm may make a backup of a member that has just died, and may replace its disk.
    pub(super) fn maybe_set_back(&mut self, host: HostIndex) {
        /// One in so many crashes of a run with such faults leaves a backup.
        const IMAGES_ONE_IN: u32 = 3;
        let one_in = self.swarm.setbacks_one_in;
        if one_in == 0 {
            return;
        }
        if self.dice().strikes("fault.disk", one_in) {
            let is_lost = self.dice().below("fault.disk.kind", 2) == 1;
            if is_lost || !self.roll_back(host) {
                self.lose_disk(host);
            }
        } else if self.dice().strikes("fault.image", IMAGES_ONE_IN) {
            self.take_image(host);
        }
    }
}

fn published(host: &Host) -> impl Iterator<Item = super::checkers::Stored> {
    host.maildirs.all_published().map(|(token, account)| (token, account.clone()))
}
