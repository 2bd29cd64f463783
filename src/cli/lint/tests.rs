//! Whatever is thrown at lint, it answers.

use std::env;

use super::*;

const SHOP: &str = concat!(
    include_str!("../../../examples/shop/app.yaml"),
    "---\n",
    include_str!("../../../examples/shop/environment.yaml")
);

fn said(text: &str) -> Vec<String> {
    let report = check(&[("shop.yaml".to_owned(), text.to_owned())]);
    report
        .findings
        .iter()
        .map(Finding::to_string)
        .chain(report.unreadable)
        .collect()
}

#[test]
fn the_example_is_clean() {
    assert_eq!(said(SHOP), Vec::<String>::new());
}

#[test]
fn findings_say_where_and_what_must_hold() {
    for (from, to, expected) in [
        (
            "replicas: 2",
            "replcas: 2",
            "spec.components[0].replcas: must be a known field; did you mean replicas?",
        ),
        (
            "replicas: 2",
            "replicas: two",
            "spec.components[0].replicas: must be a whole number; it is a string",
        ),
        (
            "replicas: 2",
            "replicas: 501",
            "spec.components[0].replicas: must be at most 500",
        ),
        (
            "role: Web",
            "role: web",
            "spec.components[0].role: must be Web or Worker",
        ),
        (
            "port: 8000",
            "args: []",
            "spec.components[0]: a Web component must have a port",
        ),
        (
            "name: worker\n",
            "name: web\n",
            "spec.components[1].name: must be unique in the list; web is there twice",
        ),
        (
            "timeoutSeconds: 120",
            "timeoutSeconds: 120\n  env: {}",
            "spec.env: must be a list; it is an object",
        ),
        (
            "timeoutSeconds: 120",
            "command: [x]",
            "spec.migration.command: must be there once: this key is there twice",
        ),
        (
            "version: \"15\"",
            "version: 15",
            "spec.database.dedicated.version: must be a string; 15 is a number in YAML: write \"15\"",
        ),
        (
            "appRef: {name: shop}",
            "appRef: {}",
            "spec.appRef.name: must be set",
        ),
        (
            "component: web}",
            "component: site}",
            "spec: route '/' of host 'shop.localhost' must name a Web component; 'site' is none",
        ),
        (
            "kind: Environment",
            "kind: Enviroment",
            "kind: must be App, Environment or Preview",
        ),
        (
            "kind: Environment",
            "king: Environment",
            "kind: must be set",
        ),
        (
            "towpath.dev/v1alpha1\nkind: App",
            "towpath.dev/v1\nkind: App",
            "apiVersion: must be towpath.dev/v1alpha1",
        ),
    ] {
        assert!(SHOP.contains(from), "{from}");
        let said = said(&SHOP.replacen(from, to, 1));
        assert!(
            said.iter().any(|line| line.ends_with(expected)),
            "{to}: {said:?}"
        );
        let line: usize = said[0]
            .split(':')
            .nth(1)
            .and_then(|line| line.parse().ok())
            .unwrap_or_default();
        assert!((1..=SHOP.lines().count() + 1).contains(&line), "{said:?}");
    }
}

#[test]
fn where_old_pods_end_first_it_is_said_for_how_long_requests_stop() {
    let text = SHOP.replace(
        "    health: {path: /health}",
        "    update: Recreate\n    health: {path: /health, startupSeconds: 90}",
    );
    let report = check(&[("shop.yaml".to_owned(), text)]);
    assert_eq!(report.findings, []);
    assert_eq!(
        report.notes,
        [
            "shop.yaml:10: App shop-staging/shop: spec.components[0]: at each release requests stop for at most 115 s \
          (25 s to drain, 90 s to start), and while the image is pulled"
        ]
    );
}

#[test]
fn a_list_is_looked_into_and_other_kinds_are_passed_over() {
    let list = "kind: List\napiVersion: v1\nitems:\n- kind: Secret\n  apiVersion: v1\n  metadata: {name: s}\n\
        - kind: App\n  apiVersion: towpath.dev/v1alpha1\n  metadata: {name: a}\n  spec: {}\n";
    let report = check(&[("list.yaml".to_owned(), list.to_owned())]);
    assert_eq!(
        report.passed_over,
        ["list.yaml:4: Secret s is not checked here"]
    );
    assert_eq!(report.checked, 1);
    let said: Vec<String> = report.findings.iter().map(Finding::to_string).collect();
    assert_eq!(said, ["list.yaml:10: App a: spec.components: must be set"]);
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap_or_default()
    }
}

#[test]
fn nonsense_is_answered() {
    let pieces = [
        "",
        "\0",
        "é",
        "{",
        "[",
        "}",
        "]",
        ": ",
        "- ",
        "&a ",
        "*a ",
        "!!int ",
        "|\n",
        "---\n",
        "'",
        "\"",
        "\t",
        "#",
        "<<: ",
        "null",
        "-1",
        "1e999",
        "9999999999999999999999",
        "1e9999999999",
        ".5e-9999",
        "{a: b}",
        "[[[[]]]]",
        "\u{202e}",
        "\u{feff}",
        "true",
    ];
    let rounds = env::var("TOWPATH_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(60);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..rounds {
        let mut text = SHOP.to_owned();
        for _ in 0..=dice.throw(4) {
            let mut from = dice.throw(text.len());
            let mut to = (from + dice.throw(12)).min(text.len());
            while !text.is_char_boundary(from) {
                from -= 1;
            }
            while !text.is_char_boundary(to) {
                to += 1;
            }
            // Whole words now and then, so that what is left is often still YAML.
            if round % 2 == 0 {
                from = text[..from].rfind([' ', '\n']).map_or(0, |at| at + 1);
                to = text[from..]
                    .find(['\n', ',', '}', ' '])
                    .map_or(text.len(), |at| from + at);
            }
            text.replace_range(from..to, pieces[dice.throw(pieces.len())]);
        }
        if dice.throw(10) == 0 {
            text.truncate(text.floor_char_boundary(dice.throw(text.len().max(1))));
        }
        let _ = said(&text);
    }
}
