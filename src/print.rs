//! What the commands print: one way to standard output, one to standard error.
//!
//! A reader that has gone away, as `head` does, is no error: what it does not want is dropped, and the exit
//! code is what it would have been. Anything else that keeps a line from being written, as a full disk
//! does, is remembered; [`finish`] tells it and makes an exit of it that nobody takes for a success. Of a
//! standard output that was closed at the start nobody can tell: the standard library opens `/dev/null` in its
//! place before `main`, and that looks like what other programs pass on when they want no output.

use alloc::string::ToString as _;
use core::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::string::String;
use std::sync::OnceLock;

/// The exit code of a command that did what it was told, and could not print what came of it.
pub(crate) const EXIT_UNPRINTED: u8 = 74;

/// Why the first line that was lost was lost.
static UNPRINTED: OnceLock<String> = OnceLock::new();

/// Prints a line for people and scripts.
macro_rules! say {
    ($($text:tt)*) => { $crate::print::line(format_args!($($text)*)) };
}

/// Prints a line on standard error. There is nowhere to say that this failed.
macro_rules! complain {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

/// Prints a line.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{text}");
    remember(written.and_then(|()| stdout.flush()));
}

/// Prints what is text already, as it is.
pub(crate) fn octets(text: &[u8]) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text);
    remember(written.and_then(|()| stdout.flush()));
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

/// The last act of every command: its exit code, unless it is a success of which a line was lost.
pub(crate) fn finish(code: ExitCode) -> ExitCode {
    let Some(problem) = UNPRINTED.get() else { return code };
    complain!("bridgehead: standard output cannot be written: {problem}");
    if code == ExitCode::SUCCESS { ExitCode::from(EXIT_UNPRINTED) } else { code }
}
