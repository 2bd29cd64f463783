//! Image references as users write them.

use crate::config::is_address;

/// An image reference with its short forms written out: `redis` is `docker.io/library/redis:latest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Host of the registry, with its port if it has one.
    pub registry: String,
    /// Path of the repository.
    pub repository: String,
    /// Tag, where there is one; it does not count beside a digest.
    tag: Option<String>,
    /// Digest, where there is one.
    pub digest: Option<String>,
}

const DOCKER_HUB: &str = "docker.io";

impl Reference {
    /// Reads a reference. The refusal is a sentence for its author.
    pub fn parse(image: &str) -> Result<Self, String> {
        Self::read(image).ok_or_else(|| {
            format!(
                "the image {image:?} must be a reference such as registry.example.com/shop:1.4.2"
            )
        })
    }

    fn read(image: &str) -> Option<Self> {
        let (named, digest) = match image.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (image, None),
        };
        // A colon behind the last slash begins the tag; before it, it begins the port.
        let (name, tag) = match named.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (named, None),
        };
        let (registry, repository) = split_registry(name);
        let fits = is_address(&registry)
            && repository.len() <= 255
            && repository.split('/').all(is_path_part)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest);
        fits.then(|| Self {
            registry,
            repository,
            tag: tag.map(Into::into),
            digest: digest.map(Into::into),
        })
    }

    /// What the manifest is asked for by: the digest, else the tag.
    pub fn version(&self) -> &str {
        self.digest
            .as_deref()
            .or(self.tag.as_deref())
            .unwrap_or("latest")
    }

    /// Registry and repository: what prefixes in configuration and credentials are compared with.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// Where the registry of this name is asked: Docker Hub answers elsewhere.
    pub fn host(&self) -> &str {
        if self.registry == DOCKER_HUB {
            "registry-1.docker.io"
        } else {
            &self.registry
        }
    }
}

/// Takes the registry off a name. The first part is one only if it looks like a host; all else is Docker Hub's.
fn split_registry(name: &str) -> (String, String) {
    match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
            let host = if host == "index.docker.io" {
                DOCKER_HUB
            } else {
                host
            };
            let short = host == DOCKER_HUB && !path.contains('/');
            (
                host.into(),
                if short {
                    format!("library/{path}")
                } else {
                    path.into()
                },
            )
        }
        Some(_) => (DOCKER_HUB.into(), name.into()),
        None => (DOCKER_HUB.into(), format!("library/{name}")),
    }
}

fn is_path_part(part: &str) -> bool {
    let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    part.bytes().all(|b| inside(b) || b"._-".contains(&b))
        && part.bytes().next().is_some_and(inside)
        && part.bytes().last().is_some_and(inside)
}

fn is_tag(tag: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    (1..=128).contains(&tag.len()) && tag.bytes().all(fits) && !tag.starts_with(['.', '-'])
}

/// Whether this is a digest in a form that registries use.
pub fn is_digest(digest: &str) -> bool {
    let hex = |hash: &str, len: usize| {
        hash.len() == len
            && hash
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    match digest.split_once(':') {
        Some(("sha256", hash)) => hex(hash, 64),
        Some(("sha512", hash)) => hex(hash, 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn short_names_are_written_out() {
        for (image, name, version) in [
            ("redis", "docker.io/library/redis", "latest"),
            ("redis:7", "docker.io/library/redis", "7"),
            ("docker.io/redis:7", "docker.io/library/redis", "7"),
            ("index.docker.io/acme/shop", "docker.io/acme/shop", "latest"),
            ("acme/shop:1.2", "docker.io/acme/shop", "1.2"),
            ("localhost/shop", "localhost/shop", "latest"),
            (
                "198.18.0.1:5000/shop:pr-1-0a1b2c3",
                "198.18.0.1:5000/shop",
                "pr-1-0a1b2c3",
            ),
            (
                "registry.example.com:5000/team/shop",
                "registry.example.com:5000/team/shop",
                "latest",
            ),
        ] {
            let reference = Reference::parse(image).expect(image);
            assert_eq!(
                (reference.name().as_str(), reference.version()),
                (name, version),
                "{image}"
            );
        }
        assert_eq!(
            Reference::parse("redis").expect("redis").host(),
            "registry-1.docker.io"
        );
    }

    #[test]
    fn a_digest_counts_before_the_tag() {
        for image in [
            format!("registry.example.com/shop@{DIGEST}"),
            format!("registry.example.com/shop:1.2@{DIGEST}"),
        ] {
            assert_eq!(
                Reference::parse(&image).expect("a reference").version(),
                DIGEST
            );
        }
    }

    #[test]
    fn what_is_no_reference_is_answered_by_what_it_must_be() {
        let long = "a".repeat(256);
        for image in [
            "",
            " ",
            "Shop",
            "a.example.com/Shop",
            "shop:",
            "shop:-1",
            "shop@sha256:12",
            "shop@md5:aa",
            "a.example.com/../x",
            "a.example.com/",
            "/shop",
            "a.example.com//shop",
            "a@b.example.com/shop",
            "a.example.com:x/shop",
            "shop:a b",
            &long,
        ] {
            let refusal = Reference::parse(image).expect_err(image);
            assert!(refusal.contains("must be a reference"), "{refusal}");
        }
    }
}
