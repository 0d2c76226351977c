//! Standard output: one way for all commands.
//!
//! A reader that has gone away, as `head` does, is no error: the command goes on in silence, for its exit
//! and its report do not depend on readers. Anything else that keeps a line from being written, as a full
//! disk does, is remembered for [`finish`]. A standard output that was closed at the start (`>&-`) is not told from
//! one that nobody wants: the standard library opens `/dev/null` in its place before `main`, in the very way in which
//! other programs pass it on.

use core::fmt;
use std::io::{self, Write as _};
use std::sync::OnceLock;

use crate::verdict::Exit;

/// Why the first line that was lost was lost.
static UNPRINTED: OnceLock<String> = OnceLock::new();

/// Prints a line.
macro_rules! say {
    ($($part:tt)*) => { $crate::print::line(format_args!($($part)*)) };
}
pub(crate) use say;

/// Prints a line.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let text = harmless(&text.to_string());
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{text}");
    remember(written.and_then(|()| stdout.flush()));
}

/// A text that may have come from outside, without what a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push('\n'),
            // Besides the controls, what turns the direction of a line around.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(character.escape_default());
            }
            character if character.is_control() => shown.extend(character.escape_default()),
            character => shown.push(character),
        }
    }
    shown
}

/// Takes note of what became of a write to standard output.
pub(crate) fn remember(written: io::Result<()>) {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            // The first one is told; those behind it have the same reason.
            let _ = UNPRINTED.set(error.to_string());
        }
        _ => {}
    }
}

/// How a command ends that comes to `exit`, and why it is not that.
pub(crate) fn finish(exit: Exit) -> (Exit, Option<String>) {
    let Some(problem) = UNPRINTED.get() else { return (exit, None) };
    let exit = if exit == Exit::Conformant { Exit::Unprinted } else { exit };
    (exit, Some(format!("standard output cannot be written: {problem}")))
}
