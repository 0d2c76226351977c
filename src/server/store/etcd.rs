//! The way to etcd: which of its servers is asked, and for how long.

use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard};

use etcd_client::{Client, ConnectOptions};

use super::Asked;
use super::keys::{Keys, StoreError};
use crate::clause;
use crate::kernel::{Span, Time};
use crate::protocol::master::election::{StoreAnswer, StoreAsk, StoreWord};
use crate::protocol::member::Answer;
use crate::server::configuration::EtcdSection;
use crate::server::net::Network;
use crate::server::runtime::ToHost;
use crate::server::tokens::Kind;

/// How long a server may take to be connected, at most: less than what the shortest lease leaves for an answer.
const CONNECT_LIMIT: Duration = Duration::from_millis(250);

/// What is known of etcd.
pub(super) struct Way {
    section: EtcdSection,
    network: Arc<Network>,
    state: Mutex<State>,
}

impl core::fmt::Debug for Way {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Way").field("section", &self.section).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    /// The server that is asked, by its place among the endpoints.
    endpoint: usize,
    /// A connection to it.
    client: Option<Client>,
    /// The last question had no answer.
    is_silent: bool,
}

impl Way {
    pub(super) fn new(section: EtcdSection, network: Arc<Network>) -> Self {
        Self { section, network, state: Mutex::default() }
    }

    /// Tells the host what etcd says, or that it has said nothing within the limit of the question.
    pub(super) async fn answer(self: Arc<Self>, asked: Asked) {
        let Asked { ticket, group, query, token } = asked;
        let keys = Keys::new(&self.section.prefix, &group);
        let clock = Arc::clone(&self.network.clock);
        let begun = clock.now();
        let said = tokio::select! {
            said = self.ask(&keys, &query.ask, begun) => said,
            () = clock.until(begun + query.limit) => {
                // Whoever does not answer may be stopped or cut off: the next question goes to another one.
                self.give_up();
                Err(StoreError::Late)
            }
        };
        self.note(said.as_ref().err());
        let word = said.unwrap_or(StoreWord::Silent);
        let answer = Answer::Store(StoreAnswer { round: query.round, word });
        let token = token.into_kind(Kind::Input);
        self.network.tell(ToHost::Answered { ticket, answer, token });
    }

    /// Asks one server after the other until one answers; the last error if none does. A question that is asked twice
    /// does once what it does.
    async fn ask(&self, keys: &Keys, ask: &StoreAsk, begun: Time) -> Result<StoreWord, StoreError> {
        let patience = match ask {
            StoreAsk::Look { patience, .. } => *patience,
            _ => Span::ZERO,
        };
        let mut failed = StoreError::Odd("no server of etcd is configured");
        for _ in &self.section.endpoints {
            let asked = async {
                let mut client = self.client().await?;
                keys.answer(&mut client, ask, self.network.clock.until(begun + patience)).await
            };
            match asked.await {
                Ok(word) => return Ok(word),
                Err(StoreError::Value(key, error)) => return Err(StoreError::Value(key, error)),
                Err(error) => {
                    self.give_up();
                    failed = error;
                }
            }
        }
        Err(failed)
    }

    /// A connection to the present server. It is opened with the first question on it.
    async fn client(&self) -> Result<Client, StoreError> {
        let endpoint = {
            let state = self.state();
            if let Some(client) = &state.client {
                return Ok(client.clone());
            }
            self.section.endpoints[state.endpoint].clone()
        };
        let options = ConnectOptions::new().with_connect_timeout(CONNECT_LIMIT);
        let client = Client::connect([endpoint], Some(options)).await?;
        self.state().client = Some(client.clone());
        Ok(client)
    }

    /// The next question goes to the next server, on a new connection.
    fn give_up(&self) {
        let mut state = self.state();
        state.client = None;
        state.endpoint = (state.endpoint + 1) % self.section.endpoints.len();
    }

    /// Logs when etcd falls silent, and when it speaks again; once each.
    fn note(&self, error: Option<&StoreError>) {
        clause!(SV_122);
        let mut state = self.state();
        let was_silent = core::mem::replace(&mut state.is_silent, error.is_some());
        match error {
            Some(error) if !was_silent => {
                tracing::warn!(%error, "etcd does not answer; nobody is elected without it");
            }
            None if was_silent => tracing::info!("etcd answers again"),
            _ => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}
