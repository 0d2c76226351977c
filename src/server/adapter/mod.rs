//! The conformance adapter: one member, driven by JSON Lines, in virtual time over real TCP.
//!
//! It runs the production shell on a current-thread runtime. Sockets are real; only timers are
//! virtual, and fire when the suite advances the clock.

mod configure;
mod quiesce;
mod request;

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, channel};

use configure::Configured;
use request::{Refused, Request, string};

use super::clock::{EPOCH, VirtualClock};
use super::report::What;
use super::runtime::{Entropy, Exit, Logging, Member, Settings, log_to_stderr, start};
use crate::clause;
use crate::kernel::Span;
use crate::print;
use crate::protocol::faults::Faults;
use crate::protocol::operator::{Burial, Order};
use crate::server::net::name_of;
use crate::server::private;
use crate::wire::ids::MemberName;
use crate::wire::message::Address;

/// The only value of `proto` that this version speaks.
pub const PROTO: u64 = 1;

/// The profiles that this implementation claims.
pub const PROFILES: [&str; 14] = [
    "smtp/server",
    "smtp/limits",
    "smtp/submission",
    "submit/receiver",
    "submit/sender",
    "submit/resume",
    "deliver/receiver",
    "deliver/sender",
    "linkstate/core",
    "linkstate/operator",
    "master/election",
    "account/leases",
    "cluster/full",
    "cluster/tls",
];

/// What the adapter can do beside what every adapter does.
pub const CAPABILITIES: [&str; 4] =
    ["inspect.queue", "inspect.linkstate", "inspect.accounts", "kill"];

/// The seed of every adapter's choices.
const SEED: u64 = 0x6272_6964_6765_6864;

/// How many requests may wait. The suite sends one at a time.
const REQUESTS_LIMIT: usize = 16;

/// A member that runs, with what drives it.
struct Running {
    runtime: Runtime,
    member: Member,
}

/// The adapter.
pub struct Adapter {
    faults: Faults,
    clock: Arc<VirtualClock>,
    configured: Option<Configured>,
    running: Option<Running>,
}

/// Serves requests from `input` until it ends; the log goes to stderr. Exit code 0, or 1 when the store of the member failed.
#[must_use]
pub fn run(
    input: impl BufRead + Send + 'static,
    mut output: impl Write,
    faults: Faults,
) -> ExitCode {
    private::create_privately();
    log_to_stderr(Logging::Text);
    let (lines, mut requests) = channel(REQUESTS_LIMIT);
    // The thread ends with the input; nobody waits for it.
    std::thread::spawn(move || {
        for line in input.lines() {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let mut adapter = Adapter::new(faults);
    loop {
        let line = match adapter.next_line(&mut requests) {
            Ok(Some(Ok(line))) => line,
            Ok(Some(Err(_)) | None) => return ExitCode::SUCCESS,
            Err(reason) => {
                complain!("bridgehead adapter: {reason}");
                return ExitCode::from(1);
            }
        };
        let answered = writeln!(output, "{}", adapter.answer(&line)).and_then(|()| output.flush());
        if answered.is_err() {
            // Nobody hears the answers any more, or they are lost; which it is decides how this ends.
            print::remember(answered);
            return ExitCode::SUCCESS;
        }
    }
}

impl Adapter {
    /// An adapter without a member.
    #[must_use]
    pub fn new(faults: Faults) -> Self {
        Self { faults, clock: Arc::default(), configured: None, running: None }
    }

    /// The next request; the member runs while it is waited for. `Err`: the member has failed.
    fn next_line(
        &mut self,
        requests: &mut Receiver<io::Result<String>>,
    ) -> Result<Option<io::Result<String>>, String> {
        let Some(Running { runtime, member }) = &mut self.running else {
            return Ok(requests.blocking_recv());
        };
        runtime.block_on(async {
            tokio::select! {
                biased;
                exit = member.ended() => match exit {
                    Exit::Failed(reason) => Err(reason),
                    Exit::Stopped => Err("the member stopped unasked".to_owned()),
                },
                line = requests.recv() => Ok(line),
            }
        })
    }

    /// Answers one request line.
    #[must_use]
    pub fn answer(&mut self, line: &str) -> Value {
        clause!(CO_001);
        let request = match Request::parse(line) {
            Ok(request) => request,
            Err(refused) => return refused.answer(&Value::Null),
        };
        match self.perform(&request) {
            Ok(answer) => json!({ "id": request.id, "ok": answer }),
            Err(refused) => refused.answer(&request.id),
        }
    }

    fn perform(&mut self, request: &Request) -> Result<Value, Refused> {
        match request.op.as_str() {
            "hello" => hello(&request.body),
            "configure" => self.configure(&request.body),
            "start" => self.start(),
            "stop" => self.stop(),
            "reset" => self.reset(),
            "quiesce" => self.quiesce(),
            "advance" => self.advance(&request.body),
            "inspect" => self.inspect(&request.body),
            "bury" => self.bury(&request.body),
            "transfer" => self.transfer(&request.body),
            "drain" => self.drain(&request.body),
            "release" => self.release(&request.body),
            other => {
                clause!(CO_002);
                Err(Refused::new("unknown-op", format!("there is no operation `{other}`")))
            }
        }
    }

    fn configure(&mut self, body: &Map<String, Value>) -> Result<Value, Refused> {
        if self.running.is_some() {
            return Err(Refused::new("running", "a member is configured before it is started"));
        }
        let configured = configure::configure(body, &self.faults)?;
        self.clock = Arc::new(VirtualClock::new(Span(configured.now_us)));
        self.configured = Some(configured);
        Ok(json!({}))
    }

    fn start(&mut self) -> Result<Value, Refused> {
        if self.running.is_some() {
            return Err(Refused::new("running", "the member is started already"));
        }
        let configured = self.configured.as_ref();
        let configured =
            configured.ok_or_else(|| Refused::new("not-configured", "`configure` comes first"))?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Refused::new("start-failed", error))?;
        let settings = Settings {
            clock: Arc::clone(&self.clock) as _,
            entropy: Entropy::Fixed(SEED),
            keeps_closed: true,
        };
        if let Some(shared) = &configured.configuration.shared {
            let made = std::fs::create_dir_all(shared);
            made.map_err(|error| Refused::new("start-failed", error))?;
        }
        // Nothing of an earlier process is kept but its directory, and the start goes on from there.
        clause!(CO_012);
        let starting = start(Arc::clone(&configured.configuration), settings);
        let member = runtime.block_on(starting).map_err(|error| {
            clause!(CO_003);
            Refused::new("start-failed", error)
        })?;
        let listen: Map<String, Value> = member
            .addresses()
            .iter()
            .map(|(port, address)| (name_of(*port).to_owned(), json!(address)))
            .collect();
        self.running = Some(Running { runtime, member });
        Ok(json!({ "listen": listen }))
    }

    /// Stops without ceremony, as an operator's `kill` does; only the spool is closed in order.
    fn stop(&mut self) -> Result<Value, Refused> {
        let Running { runtime, member } = self.running.take().ok_or_else(not_started)?;
        drop(runtime);
        member.close().map_err(|error| Refused::new("stop-failed", error))?;
        Ok(json!({}))
    }

    fn reset(&mut self) -> Result<Value, Refused> {
        if self.running.is_some() {
            self.stop()?;
        }
        let Some(configured) = self.configured.take() else { return Ok(json!({})) };
        let directory: &PathBuf = &configured.configuration.directory;
        match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let text = format!("{}: cannot be removed: {error}", directory.display());
                Err(Refused::new("reset-failed", text))
            }
            _ => {
                self.clock = Arc::default();
                Ok(json!({}))
            }
        }
    }

    fn quiesce(&self) -> Result<Value, Refused> {
        let Running { runtime, member } = self.running.as_ref().ok_or_else(not_started)?;
        runtime.block_on(async {
            let idle = quiesce::until_idle(member.tokens(), member.registry()).await;
            // No await between the last look at the tokens and this snapshot.
            let connections = member.registry().snapshot();
            let busy = (!idle).then(|| member.tokens().to_string());
            let next = self.microseconds(member.next_deadline().await);
            let connections: Vec<Value> = connections.iter().map(quiesce::show).collect();
            let mut answer = json!({
                "idle": idle, "now_us": self.clock.elapsed().0, "next_us": next,
                "connections": connections,
            });
            if let Some(busy) = busy {
                answer["busy"] = json!(busy);
            }
            Ok(answer)
        })
    }

    fn advance(&self, body: &Map<String, Value>) -> Result<Value, Refused> {
        clause!(CO_011);
        let Running { runtime, member } = self.running.as_ref().ok_or_else(not_started)?;
        let to = body.get("to_us").and_then(Value::as_u64);
        let to = to.ok_or_else(|| Refused::new("bad-request", "`to_us` is not a whole number"))?;
        let now = self.clock.elapsed().0;
        if to < now {
            return Err(Refused::new("backwards", format!("it is {now} already")));
        }
        runtime.block_on(async {
            if let Some(next) = self.microseconds(member.next_deadline().await)
                && to > next
            {
                return Err(Refused::new("skipped-timer", format!("a timer is due at {next}")));
            }
            self.clock.advance(Span(to));
            let fired = member.fire().await;
            let next = self.microseconds(member.next_deadline().await);
            Ok(json!({ "now_us": to, "fired": fired, "next_us": next }))
        })
    }

    fn microseconds(&self, deadline: Option<crate::kernel::Time>) -> Option<u64> {
        // A timer that was due in the past of the clock is due now.
        deadline.map(|deadline| deadline.since(EPOCH).0.max(self.clock.elapsed().0))
    }

    fn inspect(&self, body: &Map<String, Value>) -> Result<Value, Refused> {
        let Running { runtime, member } = self.running.as_ref().ok_or_else(not_started)?;
        let name = string(body, "what")?;
        let what =
            What::named(name).filter(|_| CAPABILITIES.contains(&&*format!("inspect.{name}")));
        let what = what
            .ok_or_else(|| Refused::new("unsupported", format!("`{name}` cannot be inspected")))?;
        let report = runtime.block_on(member.observer().report(what));
        report.ok_or_else(|| Refused::new("stopped", "the member has stopped"))
    }

    /// The operator says that a group is no more; answered when that is stored.
    fn bury(&self, body: &Map<String, Value>) -> Result<Value, Refused> {
        let burial = Burial::deserialize(Value::Object(body.clone()))
            .map_err(|error| Refused::new("bad-request", error))?;
        self.order(Order::Bury(burial))
    }

    /// The operator has the mastership of the group move; answered when the member is the master no more.
    fn transfer(&self, body: &Map<String, Value>) -> Result<Value, Refused> {
        clause!(CO_016);
        let to = match body.get("to") {
            Some(to) => Some(
                MemberName::deserialize(to).map_err(|error| Refused::new("bad-request", error))?,
            ),
            None => None,
        };
        self.order(Order::Transfer { to })
    }

    fn drain(&self, body: &Map<String, Value>) -> Result<Value, Refused> {
        clause!(CO_017);
        let on = body.get("on").is_none_or(|on| *on != Value::Bool(false));
        self.order(Order::Drain { on })
    }

    fn release(&self, body: &Map<String, Value>) -> Result<Value, Refused> {
        clause!(CO_018);
        let account = body.get("account").map(Address::deserialize);
        match account {
            Some(Ok(account)) => self.order(Order::ReleaseAccount { account }),
            Some(Err(error)) => Err(Refused::new("bad-request", error)),
            None => Err(Refused::new("bad-request", "`account` is missing")),
        }
    }

    fn order(&self, order: Order) -> Result<Value, Refused> {
        let Running { runtime, member } = self.running.as_ref().ok_or_else(not_started)?;
        let ordered = runtime.block_on(member.observer().order(order));
        let ordered = ordered.ok_or_else(|| Refused::new("stopped", "the member has stopped"))?;
        match ordered.refused.first() {
            Some(refused) => Err(Refused::new("refused", &refused.text)),
            None => Ok(json!({})),
        }
    }
}

fn not_started() -> Refused {
    Refused::new("not-started", "`start` comes first")
}

fn hello(body: &Map<String, Value>) -> Result<Value, Refused> {
    if body.get("proto").and_then(Value::as_u64) != Some(PROTO) {
        return Err(Refused::new("unsupported", format!("expected `proto` {PROTO}")));
    }
    for (key, known) in [("profiles", &PROFILES[..]), ("caps", &CAPABILITIES[..])] {
        let asked = body.get(key).and_then(Value::as_array);
        for name in asked.into_iter().flatten() {
            if !name.as_str().is_some_and(|name| known.contains(&name)) {
                clause!(CO_002);
                return Err(Refused::new("unsupported", format!("{name} is not among `{key}`")));
            }
        }
    }
    Ok(json!({
        "impl": "bridgehead", "version": env!("CARGO_PKG_VERSION"), "proto": PROTO,
        "clock": "virtual", "profiles": PROFILES, "caps": CAPABILITIES,
    }))
}
