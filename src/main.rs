//! `chatsheet`: parse the command line, read the settings, run.

use std::process::ExitCode;

fn main() -> ExitCode {
    chatsheet::config::with_one_arena();
    // One TLS implementation for everything, chosen before anything connects.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("chatsheet: the TLS provider was installed twice");
        return ExitCode::from(1);
    }
    chatsheet::cli::main()
}
