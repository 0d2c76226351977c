//! **Read this first.** What a machine is, and the one interpreter that every host drives.
//!
//! A [`Machine`] is a total function: an [`Input`] goes in, [`Effect`]s come out into a buffer that
//! the host owns. It reads no clock, opens no socket and draws no random number. A [`Node`] wraps a
//! machine and keeps the one promise that mail depends on: an effect with [`Gate::Durable`] leaves
//! only when every [`Effect::Store`] before it is on disk. tokio, the simulator, the model checker and
//! the conformance adapter drive the same `Node`.
//!
//! A counter that says a number only when the disk has it:
//!
//! ```
//! use bridgehead::kernel::*;
//!
//! #[derive(Clone, Debug, PartialEq, Eq, Hash)]
//! struct Counter { count: u32 }
//!
//! impl Machine for Counter {
//!     type Config = ();
//!     type Peer = u8;
//!     type Endpoint = ();
//!     type Pdu = u32;
//!     type Timer = ();
//!     type Change = u32;
//!     type Durable = u32;
//!     type Query = ();
//!     type Answer = ();
//!     type Command = ();
//!     type Event = ();
//!     type View = u32;
//!
//!     fn apply(durable: &mut u32, change: &u32) { *durable = *change; }
//!     fn boot(_: &(), durable: &u32, _: &mut Cx<'_, Self>) -> Self { Counter { count: *durable } }
//!     fn step(&mut self, _: &(), input: Input<Self>, cx: &mut Cx<'_, Self>) {
//!         if let Input::Pdu { from, pdu } = input {
//!             self.count += pdu;
//!             cx.store(self.count);
//!             cx.send_durable(from, self.count);
//!         }
//!     }
//!     fn view(&self) -> u32 { self.count }
//! }
//!
//! let mut choose = Seeded::new(1);
//! let (mut node, _) = Node::<Counter>::boot(&(), &41, Time(0), &mut choose);
//! let acts = node.step(&(), Input::Pdu { from: 7, pdu: 1 }, Time(1), &mut choose);
//! assert_eq!(acts, [Act::Write(42)]);                       // nothing is said yet
//! assert_eq!(node.stored(), [Act::Send { to: 7, pdu: 42 }]); // now it is on disk
//! ```

mod choose;
mod machine;
mod node;
mod tickets;
mod time;
mod trace;

pub use choose::{CHOICE_FORMAT, Choice, Choose, Player, Recorder, Seeded, Tape, draw_u64};
pub use machine::{Cx, Effect, Gate, Input, LinkChange, Machine, Ticket};
pub use node::{Act, Node, WAITING_LIMIT};
pub use tickets::{TICKET_LIMIT, Tickets};
pub use time::{Span, Time};
pub use trace::{TRACE_FORMAT, Tracer};
