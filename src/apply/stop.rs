//! Why a plan stops: the outside said no, did not answer, or somebody else was faster.

use http::StatusCode;
use kube::core::Status;

use crate::api::Reason;
use crate::error::{Error, Verb};
use crate::seen::Obstacle;

/// Longest sentence of the apiserver that is passed on, in bytes.
const LONGEST: usize = 1024;

/// Why nothing more is sent.
#[derive(Debug)]
pub(super) enum Stop {
    /// The outside said no.
    Refused(Reason, String),
    /// The outside did not answer.
    Failed(Error),
    /// A Git host could not be told.
    Untold(Obstacle),
    /// What was decided on is not the present state any more.
    Again,
    /// The namespace is on its way out: nothing is made in it any more, whatever is asked.
    Ended,
}

impl Stop {
    /// What follows from an answer of the apiserver.
    pub(super) fn of(verb: Verb, kind: &str, name: &str, error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if is_stale(status) => Self::Again,
            kube::Error::Api(status) if is_no(status) => refusal(kind, name, status),
            _ => Self::Failed(Error::api(verb, kind, name, error)),
        }
    }
}

/// Another version, or another object of the same name.
fn is_stale(status: &Status) -> bool {
    let other_uid = status.details.iter().flat_map(|details| &details.causes);
    status.code == StatusCode::CONFLICT.as_u16()
        || other_uid
            .into_iter()
            .any(|cause| cause.field == "metadata.uid")
}

/// Asking the same again gets the same answer, until a person changes something.
fn is_no(status: &Status) -> bool {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let passing = [
        StatusCode::UNAUTHORIZED,
        StatusCode::NOT_FOUND,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    code.is_client_error() && !passing.contains(&code)
}

fn refusal(kind: &str, name: &str, status: &Status) -> Stop {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    if causes.any(|cause| cause.reason == "NamespaceTerminating") {
        return Stop::Ended;
    }
    // What the apiserver says of a Secret may quote it.
    let said = if kind == "Secret" {
        &status.reason
    } else {
        &status.message
    };
    let sentence = format!("The apiserver refused {kind} {name}: {}", shortened(said));
    Stop::Refused(Reason::ObjectRefused, sentence)
}

fn shortened(text: &str) -> &str {
    let to = (0..=LONGEST.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.get(..to.unwrap_or_default()).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answered(code: u16, reason: &str, message: &str) -> Stop {
        let status = Status::failure(message, reason).with_code(code);
        Stop::of(
            Verb::Apply,
            "Deployment",
            "shop-web-a",
            kube::Error::Api(Box::new(status)),
        )
    }

    #[test]
    fn a_quota_or_a_policy_is_a_refusal_with_its_sentence() {
        let Stop::Refused(reason, sentence) = answered(403, "Forbidden", "exceeded quota: small")
        else {
            panic!("a refusal");
        };
        assert_eq!(reason, Reason::ObjectRefused);
        assert!(
            sentence.contains("Deployment shop-web-a")
                && sentence.contains("exceeded quota: small")
        );
        assert!(matches!(
            answered(422, "Invalid", "denied by policy"),
            Stop::Refused(..)
        ));
    }

    #[test]
    fn a_conflict_looks_again() {
        assert!(matches!(
            answered(409, "AlreadyExists", "made meanwhile"),
            Stop::Again
        ));
        assert!(matches!(
            answered(409, "Conflict", "the object has been modified"),
            Stop::Again
        ));
    }

    #[test]
    fn trouble_of_the_apiserver_is_no_refusal() {
        for code in [401, 404, 408, 429, 500, 503, 504] {
            assert!(
                matches!(answered(code, "Trouble", "later"), Stop::Failed(_)),
                "{code}"
            );
        }
    }

    #[test]
    fn a_namespace_on_its_way_out_is_the_end() {
        let message =
            "unable to create new content in namespace shop because it is being terminated";
        let answer = json!({
            "status": "Failure", "reason": "Forbidden", "code": 403, "message": message,
            "details": {"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]},
        });
        let status: Status = serde_json::from_value(answer).unwrap();
        let error = kube::Error::Api(Box::new(status));
        let stop = Stop::of(Verb::Create, "Job", "shop-1-migrate", error);
        assert!(matches!(stop, Stop::Ended), "{stop:?}");
    }

    #[test]
    fn nothing_of_a_secret_is_quoted() {
        let status = Status::failure("Invalid value: hunter2", "Invalid").with_code(422);
        let error = kube::Error::Api(Box::new(status));
        let Stop::Refused(_, sentence) = Stop::of(Verb::Apply, "Secret", "db", error) else {
            panic!("a refusal");
        };
        assert!(!sentence.contains("hunter2"));
    }
}
