//! Another configuration for a member that runs.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Mutex, oneshot};

use super::ToHost;
use super::start::identity_of;
use crate::clause;
use crate::server::configuration::{Configuration, reload, report};
use crate::server::identity::Identity;
use crate::server::seen;

/// Reads the files of a member again, and gives it what they say, all of it or nothing.
#[derive(Debug)]
pub struct Reloader {
    file: PathBuf,
    /// What holds now; held by whoever is changing it.
    current: Mutex<Arc<Configuration>>,
    host: UnboundedSender<ToHost>,
}

impl Reloader {
    pub(super) fn new(
        file: PathBuf,
        current: Arc<Configuration>,
        host: UnboundedSender<ToHost>,
    ) -> Self {
        Self { file, current: Mutex::new(current), host }
    }

    /// Reads both files again and has the member take them over. Gives the revision of the organization.
    ///
    /// # Errors
    /// All that is wrong, one line each, or that the member is stopping: it goes on as it was.
    pub async fn reload(&self) -> Result<u32, String> {
        let mut current = self.current.lock().await;
        let (file, old) = (self.file.clone(), Arc::clone(&current));
        clause!(SV_088);
        let read = tokio::task::spawn_blocking(move || {
            let new = reload(&file, &old).map_err(|errors| report(&errors))?;
            let identity = identity_of(&new).map_err(|error| error.to_string())?;
            Ok::<(Configuration, Option<Identity>), String>((new, identity))
        });
        let (new, identity) = read.await.map_err(|error| error.to_string())??;
        let configuration = Arc::new(new);
        let (reply, taken) = oneshot::channel();
        let told = ToHost::Reconfigure {
            configuration: Arc::clone(&configuration),
            identity: identity.map(Box::new),
            reply,
        };
        let stopping = || String::from("the member is stopping");
        self.host.send(told).map_err(|_| stopping())?;
        taken.await.map_err(|_| stopping())?;
        let revision = configuration.member.organization.revision;
        *current = Arc::clone(&configuration);
        let kept = tokio::task::spawn_blocking(move || {
            seen::remember(&configuration.directory, &configuration.member.organization);
        });
        kept.await.map_err(|error| error.to_string())?;
        Ok(revision)
    }
}
