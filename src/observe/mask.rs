//! Hides values of Secrets in what an app says when it ends, before anybody decides on it or shows it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ContainerState, Pod};
use percent_encoding::percent_decode_str;

use crate::seen::Children;

/// Shorter values hide nothing and would hide everything.
const SHORTEST: usize = 4;
/// The end of a message that is kept, in bytes.
const KEPT: usize = 1024;
/// From this length on the kubelet may have cut the beginning, and a value in it.
const CUT: usize = 2000;
const MASK: &str = "***";

/// Masks the messages of every pod.
pub(super) fn pods(children: &mut Children, values: &BTreeSet<String>) {
    let mask = Mask::of(values);
    for pod in children.pods.values_mut() {
        if speaks(pod) {
            messages(Arc::make_mut(pod)).for_each(|message| *message = mask.apply(message));
        }
    }
}

fn speaks(pod: &Arc<Pod>) -> bool {
    // Cheaper than a copy: most pods say nothing.
    let statuses = pod.status.as_ref().map(|status| {
        let containers = status.container_statuses.iter().flatten();
        containers.chain(status.init_container_statuses.iter().flatten())
    });
    let said = |state: &Option<ContainerState>| {
        state
            .as_ref()
            .is_some_and(|state| state.terminated.is_some() || state.waiting.is_some())
    };
    statuses
        .into_iter()
        .flatten()
        .any(|status| said(&status.state) || said(&status.last_state))
}

fn messages(pod: &mut Pod) -> impl Iterator<Item = &mut String> {
    let statuses = pod.status.iter_mut().flat_map(|status| {
        let containers = status.container_statuses.iter_mut().flatten();
        containers.chain(status.init_container_statuses.iter_mut().flatten())
    });
    let states = statuses.flat_map(|status| [status.state.as_mut(), status.last_state.as_mut()]);
    states.flatten().flat_map(|state| {
        let terminated = state
            .terminated
            .as_mut()
            .and_then(|state| state.message.as_mut());
        let waiting = state
            .waiting
            .as_mut()
            .and_then(|state| state.message.as_mut());
        [terminated, waiting].into_iter().flatten()
    })
}

/// Values of Secrets as they are, and as they were before they changed last: an app may still tell of these.
#[derive(Default)]
pub struct Hidden {
    now: BTreeSet<String>,
    before: BTreeSet<String>,
}

impl Hidden {
    /// Takes in what is there now; returns all that must not be shown.
    pub(super) fn with(&mut self, values: BTreeSet<String>) -> BTreeSet<String> {
        if self.now != values {
            self.before = std::mem::replace(&mut self.now, values);
        }
        self.now.union(&self.before).cloned().collect()
    }
}

/// The password of a URL: drivers tell it alone.
fn login(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (login, _) = rest.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    let decoded = percent_decode_str(password).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// What must not be shown, the longest first, so that no value hides the rest of a longer one.
struct Mask {
    words: Vec<String>,
}

impl Mask {
    fn of(values: &BTreeSet<String>) -> Self {
        let values = values.iter().map(|value| value.trim());
        let values = values.flat_map(|value| [Some(value.to_owned()), login(value)]);
        let values = values.flatten().filter(|value| value.len() >= SHORTEST);
        let forms = values.flat_map(|value| [encoded(&value, false), encoded(&value, true), value]);
        let mut words: Vec<String> = forms.collect::<BTreeSet<_>>().into_iter().collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        Self { words }
    }

    fn apply(&self, message: &str) -> String {
        let mut masked = self.beginning(message);
        for word in &self.words {
            if masked.contains(word.as_str()) {
                masked = masked.replace(word.as_str(), MASK);
            }
        }
        end(&masked).to_owned()
    }

    /// A long message may begin in the middle of a value.
    fn beginning(&self, message: &str) -> String {
        let ends = |word: &String| {
            let tails = word
                .char_indices()
                .skip(1)
                .filter_map(|(at, _)| word.get(at..));
            let mut tails = tails.filter(|tail| tail.len() >= SHORTEST);
            tails.find_map(|tail| message.strip_prefix(tail))
        };
        let rest = (message.len() >= CUT).then(|| {
            self.words
                .iter()
                .filter_map(ends)
                .min_by_key(|rest| rest.len())
        });
        match rest.flatten() {
            Some(rest) => format!("{MASK}{rest}"),
            None => message.to_owned(),
        }
    }
}

/// As it stands in a URL.
fn encoded(value: &str, lower: bool) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
                Ok(())
            }
            _ if lower => write!(text, "%{byte:02x}"),
            _ => write!(text, "%{byte:02X}"),
        };
        text
    })
}

/// The end of a text.
fn end(text: &str) -> &str {
    let from = text.len().saturating_sub(KEPT);
    let from = (from..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(from);
    text.get(from..).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(values: &[&str]) -> Mask {
        Mask::of(&values.iter().map(|value| (*value).to_owned()).collect())
    }

    #[test]
    fn values_are_hidden_as_they_are_and_as_they_stand_in_a_url() {
        let mask = mask(&["p@ss/word", "tok\n"]);
        let said = "login p@ss/word failed: postgres://u:p%40ss%2Fword@h and p%40ss%2fword; tok";
        assert_eq!(
            mask.apply(said),
            "login *** failed: postgres://u:***@h and ***; tok"
        );
    }

    #[test]
    fn the_password_of_a_url_is_hidden_alone_too() {
        let mask = mask(&["postgres://app:p%40ss@db/shop"]);
        let said = "login p@ss failed at postgres://app:p%40ss@db/shop";
        assert_eq!(mask.apply(said), "login *** failed at ***");
    }

    #[test]
    fn what_was_hidden_before_a_rotation_still_is() {
        let set = |value: &str| BTreeSet::from([value.to_owned()]);
        let mut hidden = Hidden::default();
        hidden.with(set("first"));
        assert!(hidden.with(set("second")).contains("first"));
        assert!(hidden.with(BTreeSet::new()).contains("second"), "deleted");
        assert!(!hidden.with(BTreeSet::new()).contains("first"));
    }

    #[test]
    fn a_value_inside_a_longer_one_does_not_leave_its_rest() {
        let mask = mask(&["secret", "secret-and-more"]);
        assert_eq!(mask.apply("a secret-and-more b secret"), "a *** b ***");
    }

    #[test]
    fn a_value_that_the_kubelet_cut_is_hidden_too() {
        let mask = mask(&["0123456789"]);
        let tail = "x".repeat(CUT);
        assert!(
            mask.beginning(&format!("456789 {tail}"))
                .starts_with("*** x")
        );
        assert_eq!(mask.apply("456789 short"), "456789 short");
    }

    #[test]
    fn the_end_of_a_long_message_is_kept_at_a_whole_character() {
        let long = format!("{}{}", "ä".repeat(600), "x".repeat(501));
        let kept = mask(&[]).apply(&long);
        assert!(kept.len() <= KEPT && kept.len() > KEPT - 4);
        assert!(kept.ends_with('x') && kept.starts_with('ä'));
    }
}
