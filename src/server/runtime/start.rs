//! How a member starts and stops.

use core::fmt;
use core::hash::{BuildHasher as _, Hasher as _};
use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::hash::RandomState;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::ToHost;
use super::host::{Host, Parts};
use super::reload::Reloader;
use crate::clause;
use crate::kernel::{Node, Seeded, Time};
use crate::protocol::member::{Durable, Port};
use crate::protocol::operator::{Order, Ordered};
use crate::protocol::queue::Damage;
use crate::protocol::server::Server;
use crate::server::bodies::DamagedBody;
use crate::server::clock::Clock;
use crate::server::configuration::Configuration;
use crate::server::filter::Filter;
use crate::server::identity::{Identity, IdentityError};
use crate::server::maildir::Maildirs;
use crate::server::net::{ListenError, Listeners, Network, Registry, Security};
use crate::server::private::take_from_others;
use crate::server::report::{self, What};
use crate::server::shared::{Shared, SharedError, SharedMaildirs, SharedStore};
use crate::server::spool::{Opened, Spool as _, SpoolError, SqliteSpool};
use crate::server::store::Store;
use crate::server::tokens::{Kind, Tokens};
use crate::wire::message::{Body, BodyKey};

/// Where a member's choices come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entropy {
    /// From the operating system.
    System,
    /// From this seed, the member's name, its last incarnation and its clock: the same run makes the
    /// same choices, and no two boots draw the same incarnation.
    Fixed(u64),
}

/// What differs between a daemon and the adapter.
#[derive(Clone)]
pub struct Settings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where choices come from.
    pub entropy: Entropy,
    /// Whether closed connections are kept until they were shown.
    pub keeps_closed: bool,
}

/// Why a member cannot start. Nothing was changed.
#[derive(Debug)]
pub enum StartError {
    /// A certificate or key is bad.
    Identity(IdentityError),
    /// An address cannot be had.
    Listen(ListenError),
    /// The spool cannot be opened.
    Spool(SpoolError),
    /// The store that the members of the group share is none of ours.
    Shared(SharedError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(error) => write!(f, "{error}"),
            Self::Listen(error) => write!(f, "{error}"),
            Self::Spool(error) if error.is_no_space() => {
                clause!(SV_016);
                write!(f, "{error}; the disk is full: make room and start again, nothing was lost")
            }
            Self::Spool(error) => write!(f, "{error}"),
            Self::Shared(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for StartError {}

/// How a member ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was told to stop.
    Stopped,
    /// Its store failed.
    Failed(String),
}

/// A member that runs.
pub struct Member {
    addresses: BTreeMap<Port, SocketAddr>,
    network: Arc<Network>,
    spool: Arc<SqliteSpool<Server>>,
    accounts: Accounts,
    host: UnboundedSender<ToHost>,
    running: JoinHandle<Exit>,
}

/// Starts a member: binds, opens the spool, boots the machine, accepts.
///
/// # Errors
/// What cannot be had. Nothing is left behind.
pub async fn start(
    configuration: Arc<Configuration>,
    settings: Settings,
) -> Result<Member, StartError> {
    let listeners = bind(&configuration).await.map_err(StartError::Listen)?;
    start_on(configuration, settings, listeners)
}

/// The same with listeners that are bound already.
///
/// # Errors
/// What cannot be had. Nothing is left behind.
pub(super) fn start_on(
    configuration: Arc<Configuration>,
    settings: Settings,
    listeners: Listeners,
) -> Result<Member, StartError> {
    let identity = identity_of(&configuration).map_err(StartError::Identity)?;
    let addresses = listeners.addresses();
    // Bounded by what it carries: one unit for each connection, one answer for each ticket.
    let (host, inputs) = unbounded_channel();
    let settled = host.clone();
    let opened = SqliteSpool::open(&configuration.spool(), move |news| {
        let _ = settled.send(ToHost::Settled(news));
    });
    let Opened { spool, durable, problems } = opened.map_err(StartError::Spool)?;
    for problem in problems {
        tracing::warn!(problem, "the spool was put right");
    }
    let spool = Arc::new(spool);
    let now = settings.clock.now();
    let mut choose = Seeded::new(seed(settings.entropy, &configuration, &durable, now));
    let (node, boot) = Node::boot(&configuration.member, &durable, now, &mut choose);
    let checked = check_bodies(&spool, node.machine()).map_err(StartError::Spool)?;
    let network = Arc::new(Network::new(
        settings.clock,
        Tokens::default(),
        Registry::new(settings.keeps_closed),
        Arc::clone(&spool) as _,
        Security::new(Arc::clone(&configuration), identity),
        configuration.source,
        host.clone(),
    ));
    let (stop, stopped) = watch::channel(false);
    for (key, damage) in checked {
        let token = network.tokens.take(Kind::Input);
        network.tell(ToHost::Checked { key, damage, token });
    }
    let maildirs = Maildirs::new(&configuration.directory);
    for place in [configuration.spool().as_path(), maildirs.root()] {
        if let Err(error) = take_from_others(place) {
            tracing::warn!(place = %place.display(), %error, "others may read what is kept here");
        }
    }
    let shared = start_shared(&configuration, &network).map_err(StartError::Shared)?;
    let filter = configuration.filter.clone();
    let filter =
        filter.map(|filter| Filter::start(filter, &configuration.directory, Arc::clone(&network)));
    let store = Store::start(configuration.etcd.as_ref(), &network);
    let accounts = Accounts {
        own: maildirs.clone(),
        shared: shared.as_ref().map(|shared| shared.maildirs().clone()),
    };
    let parts = Parts {
        configuration,
        filter,
        store,
        shared,
        network: Arc::clone(&network),
        maildirs,
        choose,
        node,
        inputs,
        stop,
    };
    let running = tokio::spawn(Host::new(parts, boot).run());
    listeners.accept(&network, &stopped);
    Ok(Member { addresses, network, spool, accounts, host, running })
}

/// The way to the store that the members of the group share, where they do.
fn start_shared(
    configuration: &Configuration,
    network: &Arc<Network>,
) -> Result<Option<Shared>, SharedError> {
    let Some(directory) = &configuration.shared else { return Ok(None) };
    let faults = configuration.member.faults.clone();
    let store = SharedStore::new(directory, &configuration.directory, faults)
        .with_identity(configuration.named_store().map(String::from));
    let is_needed = configuration.leases_accounts();
    Shared::start(store, directory, is_needed, network).map(Some)
}

/// With what the member proves its name: to members, and to the clients of the submission ports.
pub(super) fn identity_of(
    configuration: &Configuration,
) -> Result<Option<Identity>, IdentityError> {
    let Some(own) = &configuration.credentials else { return Ok(None) };
    let mut identity = own.identity()?;
    if let Some(other) = &configuration.client_credentials {
        identity.client_server = Arc::new(other.server()?);
    }
    Ok(Some(identity))
}

pub(super) async fn bind(configuration: &Configuration) -> Result<Listeners, ListenError> {
    let listen = &configuration.listen;
    let mut addresses = BTreeMap::from([
        (Port::Smtp, listen.smtp),
        (Port::Deliver, listen.deliver),
        (Port::Group, listen.group),
    ]);
    let optional = [(Port::Submission, listen.submission), (Port::Submissions, listen.submissions)];
    addresses.extend(optional.into_iter().filter_map(|(port, address)| Some((port, address?))));
    Listeners::bind(&addresses).await
}

/// Removes the bodies that no message needs. Says which of the others are not what they were, and which
/// of those in quarantine are sound again; the machine is to hear of both.
fn check_bodies(
    spool: &SqliteSpool<Server>,
    server: &Server,
) -> Result<Vec<(BodyKey, Option<Damage>)>, SpoolError> {
    let durable = server.member().spool();
    let live: Vec<Body> = durable.bodies().collect();
    let collected = spool.collect(&live)?;
    for problem in &collected.put_off {
        tracing::warn!(problem, "a body without a message stays until the next start");
    }
    if collected.rows + collected.files > 0 {
        tracing::info!(rows = collected.rows, files = collected.files, "bodies without a message");
    }
    let quarantined = durable.queue.values().filter(|message| message.damage.is_some());
    let is_sound =
        |body: &Body| spool.read(body).is_ok_and(|mut reader| reader.verify_rest().is_ok());
    let sound = quarantined.map(|message| message.body).filter(is_sound);
    let damaged = collected.damaged.into_iter();
    let damaged = damaged.map(|DamagedBody { body, damage }| (body.key, Some(damage)));
    Ok(damaged.chain(sound.map(|body| (body.key, None))).collect())
}

fn seed(entropy: Entropy, configuration: &Configuration, durable: &Durable, now: Time) -> u64 {
    match entropy {
        // The keys of the hasher come from the operating system.
        Entropy::System => RandomState::new().build_hasher().finish(),
        Entropy::Fixed(seed) => {
            let name = configuration.member.member.as_str().bytes();
            let mixed = name.map(u64::from).chain([durable.incarnation.0, now.0]);
            mixed.fold(seed, |mixed, part| {
                (mixed ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)
            })
        }
    }
}

impl Member {
    /// Where it listens.
    #[must_use]
    pub const fn addresses(&self) -> &BTreeMap<Port, SocketAddr> {
        &self.addresses
    }

    /// What is under way.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.network.tokens
    }

    /// Its connections.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.network.registry
    }

    /// Tells it to finish and stop; told twice, it stops at once.
    pub fn shut_down(&self) {
        self.network.tell(ToHost::ShutDown);
    }

    /// A way to look at it, for the admin socket.
    #[must_use]
    pub fn observer(&self) -> Observer {
        Observer {
            host: self.host.clone(),
            spool: Arc::clone(&self.spool),
            accounts: self.accounts.clone(),
            reloader: None,
        }
    }

    /// A way to have it read `file` again, from which it got `configuration`.
    #[must_use]
    pub fn reloader(&self, file: PathBuf, configuration: Arc<Configuration>) -> Arc<Reloader> {
        Arc::new(Reloader::new(file, configuration, self.host.clone()))
    }

    /// The earliest deadline of its timers.
    pub async fn next_deadline(&self) -> Option<Time> {
        let (reply, answer) = oneshot::channel();
        self.network.tell(ToHost::Next { reply });
        answer.await.ok().flatten()
    }

    /// Fires what is due; says how much that was. For a clock that only goes when it is advanced.
    pub async fn fire(&self) -> usize {
        let (reply, answer) = oneshot::channel();
        self.network.tell(ToHost::Fire { reply });
        answer.await.unwrap_or(0)
    }

    /// Completes when its host loop has ended. To be called until it has completed once.
    pub async fn ended(&mut self) -> Exit {
        match (&mut self.running).await {
            Ok(exit) => exit,
            Err(error) => Exit::Failed(format!("the host loop failed: {error}")),
        }
    }

    /// Writes what waits, folds the snapshot and closes the spool.
    ///
    /// # Errors
    /// The last writes failed.
    pub fn close(&self) -> Result<(), SpoolError> {
        self.spool.close()
    }
}

/// Where the Maildirs are: of this member, and those that the members of its group share.
#[derive(Clone)]
struct Accounts {
    own: Maildirs,
    shared: Option<SharedMaildirs>,
}

/// Looks at a member that runs, and gives it orders.
#[derive(Clone)]
pub struct Observer {
    host: UnboundedSender<ToHost>,
    spool: Arc<SqliteSpool<Server>>,
    accounts: Accounts,
    reloader: Option<Arc<Reloader>>,
}

impl Observer {
    /// One that has the member read its files again, too.
    #[must_use]
    pub fn with_reloader(mut self, reloader: Arc<Reloader>) -> Self {
        self.reloader = Some(reloader);
        self
    }

    /// Has the member read its files again; gives the revision of the organization.
    ///
    /// # Errors
    /// All that is wrong, one line each.
    pub async fn reload(&self) -> Result<u32, String> {
        match &self.reloader {
            Some(reloader) => reloader.reload().await,
            None => Err("this member was not read from a file".into()),
        }
    }

    /// What came of an order, once that is durable; `None` when the member stopped before.
    pub async fn order(&self, order: Order) -> Option<Ordered> {
        let (reply, answer) = oneshot::channel();
        self.host.send(ToHost::Order { order, reply }).ok()?;
        answer.await.ok()
    }

    /// Whether the member takes mail, and if not, why; `None` when it has stopped. Where nobody sends mail any more
    /// because the disk is full, it is this that finds out when there is room again.
    pub async fn health(&self) -> Option<Value> {
        let spool = Arc::clone(&self.spool);
        let has_room = tokio::task::spawn_blocking(move || spool.admits()).await.ok()?;
        let mut report = self.report(What::Health).await?;
        if !has_room {
            report::add_reason(&mut report, "disk_full");
        }
        Some(report)
    }

    /// What the member shows; `None` when it has stopped.
    pub async fn report(&self, what: What) -> Option<Value> {
        let with_letters = what == What::Accounts;
        let (reply, answer) = oneshot::channel();
        self.host.send(ToHost::Report { what, reply }).ok()?;
        let mut report = answer.await.ok()?;
        if !with_letters {
            return Some(report);
        }
        let Accounts { own, shared } = self.accounts.clone();
        let read = tokio::task::spawn_blocking(move || {
            report::add_letters(&mut report, &own, shared.as_ref());
            report
        });
        read.await.ok()
    }
}
