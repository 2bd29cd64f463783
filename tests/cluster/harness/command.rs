//! Other programs.

use std::process::{Command, Output, Stdio};

/// What a program printed, or why it failed.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = finish(command);
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

/// Runs a program to its end, without input.
pub fn finish(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output();
    output.unwrap_or_else(|error| panic!("{:?} does not start: {error}", command.get_program()))
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What runs on this machine is called directly.
pub fn without_proxy(command: &mut Command) {
    for name in ["no_proxy", "NO_PROXY"] {
        let more = std::env::var(name).unwrap_or_default();
        command.env(
            name,
            format!("127.0.0.1,localhost,198.18.0.0/15,198.18.0.1,{more}"),
        );
    }
}
