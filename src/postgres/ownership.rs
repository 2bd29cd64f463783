//! Whose a database and its roles are: a comment that only the provisioner can write, checked before anything is adopted or
//! dropped.

use std::fmt;
use std::str::FromStr;

use super::orphans;

/// Whose a database and its roles are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// The cluster.
    pub cluster: String,
    /// Kind of the owner.
    pub kind: String,
    /// Namespace of the owner.
    pub namespace: String,
    /// Name of the owner.
    pub name: String,
    /// Uid of the owner.
    pub uid: String,
}

const FIELDS: [&str; 5] = ["cluster", "kind", "namespace", "name", "uid"];

impl Ownership {
    fn values(&self) -> [&str; 5] {
        let Self {
            cluster,
            kind,
            namespace,
            name,
            uid,
        } = self;
        [cluster, kind, namespace, name, uid]
    }

    /// Whether both are of the same name on the same cluster: one is what an earlier object of that name left.
    fn is_same_place(&self, other: &Self) -> bool {
        let place = |of: &Self| {
            let [cluster, kind, namespace, name, _] = of.values().map(str::to_owned);
            [cluster, kind, namespace, name]
        };
        place(self) == place(other)
    }
}

/// Whether an earlier comment is of an owner whose place the owner of this comment has taken.
pub fn succeeds(earlier: &str, comment: &str) -> bool {
    let parsed = |text: &str| orphans::bare(text).parse::<Ownership>().ok();
    match (parsed(earlier), parsed(comment)) {
        (Some(earlier), Some(now)) => earlier.is_same_place(&now),
        _ => false,
    }
}

/// Whether a comment says an owner, whoever that is.
pub fn is_ownership(comment: &str) -> bool {
    orphans::bare(comment).parse::<Ownership>().is_ok()
}

impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("towpath")?;
        let mut fields = FIELDS.iter().zip(self.values());
        fields.try_for_each(|(field, value)| write!(f, " {field}={value}"))
    }
}

impl FromStr for Ownership {
    type Err = String;

    /// Reads what Display wrote, and nothing else.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = || {
            let mut words = text.split(' ');
            words.next().filter(|word| *word == "towpath")?;
            let mut values = FIELDS.iter().map(|field| {
                let value = words.next()?.strip_prefix(field)?.strip_prefix('=')?;
                let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
                (!value.is_empty() && value.chars().all(sound)).then(|| value.to_owned())
            });
            let mut next = || values.next().flatten();
            let read = Self {
                cluster: next()?,
                kind: next()?,
                namespace: next()?,
                name: next()?,
                uid: next()?,
            };
            words_end(text).then_some(read)
        };
        parts().ok_or_else(|| {
            format!("a comment must say cluster, kind, namespace, name and uid; it is {text:?}")
        })
    }
}

fn words_end(text: &str) -> bool {
    text.split(' ').count() == FIELDS.len() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ownership(uid: &str) -> Ownership {
        Ownership {
            cluster: "production-1".into(),
            kind: "Environment".into(),
            namespace: "shop-previews".into(),
            name: "shop-pr-42".into(),
            uid: uid.into(),
        }
    }

    #[test]
    fn a_comment_is_read_as_it_is_written() {
        let text = "towpath cluster=production-1 kind=Environment namespace=shop-previews name=shop-pr-42 uid=u-1";
        assert_eq!(ownership("u-1").to_string(), text);
        assert_eq!(text.parse(), Ok(ownership("u-1")));
        for wrong in [
            "",
            "towpath",
            &text.replace("towpath ", ""),
            &text.replace("uid=u-1", "uid="),
            &text.replace("uid=u-1", "id=u-1"),
            &format!("{text} "),
            &format!("{text} more=1"),
            &format!(" {text}"),
            &text.replace("name=shop-pr-42", "name=shop pr"),
            &text.replace("name=shop-pr-42", "name=shop'pr"),
        ] {
            assert!(wrong.parse::<Ownership>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_the_same_name_on_the_same_cluster_succeeds() {
        let now = ownership("u-2").to_string();
        assert!(succeeds(&ownership("u-1").to_string(), &now));
        for other in [
            Ownership {
                cluster: "production-2".into(),
                ..ownership("u-1")
            },
            Ownership {
                kind: "Preview".into(),
                ..ownership("u-1")
            },
            Ownership {
                namespace: "other".into(),
                ..ownership("u-1")
            },
            Ownership {
                name: "shop-pr-43".into(),
                ..ownership("u-1")
            },
        ] {
            assert!(!succeeds(&other.to_string(), &now), "{other}");
        }
        assert!(!succeeds("towpath: shop-previews/shop-pr-42", &now));
        assert!(!succeeds("a", "a"));
    }
}
