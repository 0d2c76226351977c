//! What the tests of the spool share: a machine that only stores, and a spool of it.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use bridgehead::kernel::{Cx, Input, Machine};
use bridgehead::protocol::queue::Damage;
use bridgehead::server::bodies::{BodyReader, DamagedBody};
use bridgehead::server::spool::{BODIES, Opened, Settled, SpoolError, SqliteSpool};

/// A machine whose durable state is the list of everything that was stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct List;

impl Machine for List {
    type Config = ();
    type Peer = u8;
    type Endpoint = ();
    type Pdu = ();
    type Timer = ();
    type Change = u64;
    type Durable = Vec<u64>;
    type Query = ();
    type Answer = ();
    type Command = ();
    type Event = ();
    type View = ();

    fn apply(durable: &mut Vec<u64>, change: &u64) {
        durable.push(*change);
    }
    fn boot((): &(), _: &Vec<u64>, _: &mut Cx<'_, Self>) -> Self {
        Self
    }
    fn step(&mut self, (): &(), _: Input<Self>, _: &mut Cx<'_, Self>) {}
    fn view(&self) {}
}

pub(crate) type Open = Opened<SqliteSpool<List>, Vec<u64>>;

pub(crate) fn open(directory: &Path) -> Result<(Open, Receiver<Settled>), SpoolError> {
    let (settled, settlements) = channel();
    let opened = SqliteSpool::open(directory, move |settlement| {
        let _ = settled.send(settlement);
    })?;
    Ok((opened, settlements))
}

/// Waits until `count` changes are acknowledged.
pub(crate) fn wait(settlements: &Receiver<Settled>, count: usize) {
    let mut stored = 0;
    while stored < count {
        match settlements.recv().expect("the writer lives") {
            Settled::Stored(more) => stored += more,
            Settled::Failed(error) => panic!("a write failed: {error}"),
        }
    }
    assert_eq!(stored, count, "nothing is acknowledged twice");
}

/// What a crash would leave: the files as they are at this moment.
pub(crate) fn crash_image(directory: &Path) -> tempfile::TempDir {
    let image = tempfile::tempdir().expect("a directory");
    fs::create_dir(image.path().join(BODIES)).expect("a directory");
    for part in [".", BODIES] {
        for entry in fs::read_dir(directory.join(part)).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let name = path.file_name().expect("a file has a name");
                fs::copy(&path, image.path().join(part).join(name)).expect("a copy");
            }
        }
    }
    image
}

/// What a reader of the spool says of a body that is not the one that was kept.
pub(crate) fn damage(read: Result<BodyReader, SpoolError>) -> Damage {
    match read {
        Err(SpoolError::Damaged(damaged)) => damaged.damage,
        Err(other) => panic!("{other}"),
        Ok(reader) => {
            let error = reader.read_all().expect_err("its end tells");
            DamagedBody::of(&error).expect("the body is what is wrong").damage.clone()
        }
    }
}
