//! Whether the adapter can be believed: asked before every run, because verdicts in virtual time rest on
//! an honest clock and honest refusals.

use core::net::SocketAddr;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::adapter::{Adapter, AdapterError};
use crate::clock::Patience;
use crate::cluster::{Cluster, Ground, OUTSIDE, SECOND};
use crate::log::Recorder;
use crate::net::{Port, Rule, dial_from};
use crate::organization::{solo, two_groups};
use crate::security::{Authority, Security};

/// One probe that an honest adapter passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    /// What was probed.
    pub(crate) name: &'static str,
    /// What went wrong, if anything did.
    pub(crate) problem: Option<String>,
}

/// What the probes have to work with.
struct Patient<'a> {
    command: &'a [OsString],
    patience: Patience,
    logs: &'a Path,
    authority: Option<Arc<Authority>>,
}

/// One step; the first one fills in what the adapter says of itself.
type Step = fn(&Patient<'_>, &mut Value) -> Result<(), String>;

/// What the adapter says of itself, and the probes, up to the first that failed.
pub(crate) fn examine(
    command: &[OsString],
    patience: Patience,
    logs: &Path,
    security: Security,
) -> (Value, Vec<Probe>) {
    let mut hello = Value::Null;
    let mut probes = Vec::new();
    let authority = match security {
        Security::Address => None,
        Security::Tls => match Authority::mint() {
            Ok(authority) => Some(Arc::new(authority)),
            Err(error) => {
                let problem = Some(error.to_string());
                return (hello, vec![Probe { name: "gets certificates", problem }]);
            }
        },
    };
    let patient = Patient { command, patience, logs, authority };
    let steps: [(&'static str, Step); 4] = [
        ("says hello and refuses what does not exist", greet),
        ("moves its clock, and only when and where it is told", |patient, _| clock(patient)),
        ("listens where it says, and not twice in one place", |patient, _| listening(patient)),
        ("keeps accepted mail over a kill, and forgets it on reset", |patient, _| durable(patient)),
    ];
    for (name, step) in steps {
        let problem = step(&patient, &mut hello).err();
        let failed = problem.is_some();
        probes.push(Probe { name, problem });
        if failed {
            break;
        }
    }
    (hello, probes)
}

fn text(error: &AdapterError) -> String {
    error.to_string()
}

fn greet(patient: &Patient<'_>, hello: &mut Value) -> Result<(), String> {
    let log = patient.logs.join("hello.log");
    let mut adapter =
        Adapter::spawn(patient.command, &log, patient.patience).map_err(|e| text(&e))?;
    *hello = adapter.ask("hello", &json!({"proto": 1})).map_err(|e| text(&e))?;
    for (key, expected) in [("proto", json!(1)), ("clock", json!("virtual"))] {
        if hello[key] != expected {
            return Err(format!("hello: `{key}` is {}, expected {expected}", hello[key]));
        }
    }
    for key in ["impl", "version"] {
        if !hello[key].is_string() {
            return Err(format!("hello: `{key}` is {}, expected text", hello[key]));
        }
    }
    let slugs = ["profiles", "caps"];
    if let Some(key) = slugs.iter().find(|key| !hello[**key].is_array()) {
        return Err(format!("hello: `{key}` is {}, expected a list", hello[*key]));
    }
    // A random name cannot have been foreseen.
    let random =
        format!("x{:x}", Recorder::in_memory().watch().micros() ^ u64::from(std::process::id()));
    refuses(&mut adapter, &random, &json!({}), "unknown-op")?;
    for key in slugs {
        let asked = json!({"proto": 1, key: [format!("inspect.{random}")]});
        refuses(&mut adapter, "hello", &asked, "unsupported")?;
    }
    Ok(())
}

fn refuses(adapter: &mut Adapter, op: &str, fields: &Value, expected: &str) -> Result<(), String> {
    match adapter.ask(op, fields) {
        Err(AdapterError::Refused { slug, .. }) if slug == expected => Ok(()),
        Err(error) => Err(format!("`{op}`: expected the error `{expected}`, {error}")),
        Ok(answer) => Err(format!("`{op}` {fields}: expected `{expected}`, got ok {answer}")),
    }
}

impl Patient<'_> {
    fn ground<'a>(&'a self, recorder: &'a Recorder) -> Ground<'a> {
        let Self { command, patience, logs, authority } = self;
        Ground { command, recorder, patience: *patience, logs, authority: authority.as_ref() }
    }
}

fn clock(patient: &Patient<'_>) -> Result<(), String> {
    let recorder = Recorder::nowhere();
    let ground = patient.ground(&recorder);
    let rules = [("RG1-RG2", Rule::Refuse)];
    let mut cluster =
        Cluster::start(&ground, solo(), &rules).map_err(|stop| stop.reason().to_owned())?;
    let told = |stop: crate::event::Stop| stop.reason().to_owned();
    cluster.run_until(SECOND).map_err(told)?;
    // A refused link must be tried again after 60 s: that is the timer that everybody has.
    let next = cluster.settle().map_err(told)?;
    if next.is_none_or(|next| next <= SECOND) {
        return Err(format!("quiesce names {next:?} as the next timer while a link is refused"));
    }
    let past = json!({"to_us": 0});
    cluster.must_refuse("rg1-a", "advance", &past, "backwards").map_err(told)?;
    let far = json!({"to_us": 1_000_000 * SECOND});
    cluster.must_refuse("rg1-a", "advance", &far, "skipped-timer").map_err(told)?;
    cluster.run_until(61 * SECOND).map_err(told)
}

fn listening(patient: &Patient<'_>) -> Result<(), String> {
    let recorder = Recorder::nowhere();
    let ground = patient.ground(&recorder);
    let told = |stop: crate::event::Stop| stop.reason().to_owned();
    let rules = [("RG1-RG2", Rule::Refuse)];
    let cluster = Cluster::start(&ground, solo(), &rules).map_err(told)?;
    let at: SocketAddr = cluster.listens("rg1-a", Port::Smtp).map_err(told)?;
    dial_from(Some(OUTSIDE), at, patient.patience.connect())
        .map_err(|error| format!("start says that SMTP is at {at}: {error}"))?;
    cluster.must_not_share("rg1-a").map_err(told)
}

fn durable(patient: &Patient<'_>) -> Result<(), String> {
    let recorder = Recorder::nowhere();
    let ground = patient.ground(&recorder);
    let told = |stop: crate::event::Stop| stop.reason().to_owned();
    let rules = [("RG1-RG2", Rule::Refuse)];
    let mut cluster = Cluster::start(&ground, two_groups(), &rules).map_err(told)?;
    cluster.settle().map_err(told)?;
    let empty = cluster.inspect("rg1-a", "queue").map_err(told)?;
    cluster
        .submit("doctor", "rg1-a", "ann@example.test", &["bob@example.test"], "doctor")
        .map_err(told)?;
    cluster.settle().map_err(told)?;
    let full = cluster.inspect("rg1-a", "queue").map_err(told)?;
    if full == empty {
        return Err(format!("inspect queue shows {full} before and after a message was accepted"));
    }
    cluster.kill("rg1-a").map_err(told)?;
    cluster.restart("rg1-a").map_err(told)?;
    cluster.settle().map_err(told)?;
    let after = cluster.inspect("rg1-a", "queue").map_err(told)?;
    if after == empty {
        return Err("the queue is empty after a kill: an accepted message is lost".into());
    }
    cluster.reset("rg1-a").map_err(told)?;
    cluster.settle().map_err(told)?;
    let forgotten = cluster.inspect("rg1-a", "queue").map_err(told)?;
    if forgotten != empty {
        return Err(format!("inspect queue shows {forgotten} after reset, expected {empty}"));
    }
    Ok(())
}
