//! The command line of Towpath: the controller, the generator and what people ask.

// Input from outside must never end the process; tests may.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::process::ExitCode;

fn main() -> ExitCode {
    // One provider for every TLS client in this process; a second one would be a mistake of ours.
    let _ = rustls::crypto::ring::default_provider().install_default();
    towpath::cli::run(std::env::args_os())
}
