//! The command line; see [`bridgehead::cli`].

#[cfg(feature = "std")]
fn main() -> std::process::ExitCode {
    bridgehead::cli::main()
}

#[cfg(not(feature = "std"))]
fn main() {}
