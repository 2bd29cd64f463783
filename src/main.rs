//! The command line of Towpath: the controller, the generator and what people ask.

use std::process::ExitCode;

fn main() -> ExitCode {
    // One provider for every TLS client in this process; a second one would be a mistake of ours.
    let _ = rustls::crypto::ring::default_provider().install_default();
    towpath::cli::run(std::env::args_os())
}
