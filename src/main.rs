//! The command line; see [`bridgehead::cli`].

#[cfg(all(feature = "std", not(loom)))]
fn main() -> std::process::ExitCode {
    bridgehead::cli::main()
}

#[cfg(not(all(feature = "std", not(loom))))]
fn main() {}
