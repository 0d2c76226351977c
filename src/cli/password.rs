//! `bridgehead password`.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use rustls::crypto::ring::default_provider;
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::{failed, refused};
use crate::clause;
use crate::protocol::organization::{PasswordHash, SALT_OCTETS};
use crate::wire::smtp::auth::LOGIN_WORD_LIMIT;

/// How much of a line is read.
const LINE_LIMIT: usize = 4 * LOGIN_WORD_LIMIT;

/// Reads a password and prints the line of `[[account]]` that lets in who knows it.
pub(super) fn run() -> ExitCode {
    clause!(SV_074);
    let password = match read() {
        Ok(password) => password,
        Err(error) => return failed(&format!("the password cannot be read: {error}")),
    };
    if let Some(problem) = problem(&password) {
        return refused(problem);
    }
    let mut salt = [0; SALT_OCTETS];
    if default_provider().secure_random.fill(&mut salt).is_err() {
        return failed("the system gives no randomness");
    }
    let hash = PasswordHash::new(password.as_bytes(), salt);
    debug_assert_eq!(hash.problem(), None, "what is made here is what an account takes");
    say!("password = \"{hash}\"");
    ExitCode::SUCCESS
}

/// Why nobody could log in by this.
fn problem(password: &str) -> Option<&'static str> {
    if password.is_empty() {
        return Some("the password is empty");
    }
    if password.contains(char::is_control) {
        return Some("the password has a control character, which no client can send");
    }
    (password.len() > LOGIN_WORD_LIMIT).then_some("a password may have 255 octets")
}

fn read() -> io::Result<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        return read_line();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let password = runtime.block_on(read_hidden());
    // Nobody waits for a thread that still reads: it ends with the process.
    runtime.shutdown_background();
    password
}

/// Reads from the terminal until a signal comes, which would leave it without an echo.
async fn read_hidden() -> io::Result<Zeroizing<String>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut quit = signal(SignalKind::quit())?;
    let _hidden = Hidden::begin()?;
    let interrupted = tokio::select! {
        read = tokio::task::spawn_blocking(read_twice) => return read.map_err(io::Error::other)?,
        _ = interrupt.recv() => "interrupted",
        _ = terminate.recv() => "terminated",
        _ = hangup.recv() => "the terminal is gone",
        _ = quit.recv() => "interrupted",
    };
    clause!(SV_094);
    let _ = writeln!(io::stderr());
    Err(io::Error::other(interrupted))
}

fn read_twice() -> io::Result<Zeroizing<String>> {
    let first = ask("Password: ")?;
    let again = ask("Once more: ")?;
    if first == again { Ok(first) } else { Err(io::Error::other("the two are not the same")) }
}

fn ask(prompt: &str) -> io::Result<Zeroizing<String>> {
    let mut terminal = io::stderr();
    write!(terminal, "{prompt}")?;
    terminal.flush()?;
    let line = read_line();
    // The end of the line was not shown either.
    writeln!(terminal)?;
    line
}

/// One line, without its end. What is longer than any password is not read to its end.
fn read_line() -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(LINE_LIMIT));
    let octets = io::stdin().lock().take(LINE_LIMIT as u64).read_line(&mut line)?;
    if octets == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}

/// The terminal shows nothing of what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
