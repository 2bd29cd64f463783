//! What the tree is made of. Dependencies bring no second TLS provider, no C library, and only licences that this one is
//! compatible with; planning and building are pure.

#[path = "tree/pure.rs"]
mod pure;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// TLS is rustls with ring: a second provider would leave rustls without a default.
const FORBIDDEN: [&str; 5] = [
    "aws-lc-sys",
    "aws-lc-rs",
    "openssl-sys",
    "native-tls",
    "serde_yaml",
];

/// Licences that may be distributed together with Apache-2.0.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--all-features",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// Whether an expression such as `(MIT OR Apache-2.0) AND Unicode-3.0` can be met with what is allowed.
fn is_allowed(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    flat.split(" AND ")
        .all(|all| all.split(" OR ").any(|one| ALLOWED.contains(&one.trim())))
}

#[test]
fn no_crate_brings_openssl_or_a_second_tls_provider() {
    let names: BTreeSet<String> = packages()
        .iter()
        .filter_map(|package| package["name"].as_str().map(str::to_owned))
        .collect();
    assert!(names.contains("ring"), "the list is not the tree");
    let found: Vec<_> = FORBIDDEN
        .iter()
        .filter(|name| names.contains(**name))
        .collect();
    assert!(
        found.is_empty(),
        "{found:?} must not enter the tree: see `cargo tree -i`"
    );
}

#[test]
fn every_licence_is_compatible() {
    let odd: Vec<String> = packages()
        .iter()
        .filter(|package| !is_allowed(package["license"].as_str().unwrap_or_default()))
        .map(|package| {
            format!(
                "{} {}: {}",
                package["name"], package["version"], package["license"]
            )
        })
        .collect();
    assert!(
        odd.is_empty(),
        "these licences are not on the list:\n{}",
        odd.join("\n")
    );
    assert!(!is_allowed("GPL-3.0-only") && !is_allowed("MIT AND GPL-3.0-only"));
}
