//! Outgoing connections: which certificates are trusted, the HTTP client, and why a request got no answer.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

/// The TLS settings of every outgoing connection that checks whom it talks to: the public certificate authorities, and
/// those of `more` (PEM). They are compiled in, so an image without a certificate store works the same.
pub fn tls(more: Option<&[u8]>) -> Result<rustls::ClientConfig, String> {
    let mut roots: rustls::RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    if let Some(pem) = more {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let certificates =
            certificates.map_err(|error| format!("a CA must be certificates in PEM: {error}"))?;
        if certificates.is_empty() {
            return Err("a CA must be certificates in PEM; it holds none".into());
        }
        for certificate in certificates {
            roots
                .add(certificate)
                .map_err(|error| format!("a CA must be certificates in PEM: {error}"))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Takes any certificate: the connection is encrypted, but the peer has proved nothing. For PostgreSQL's `sslmode=prefer`
/// and `require`, which promise no more, and for checks that ask whether an app answers.
#[derive(Debug)]
pub struct AnyCertificate(WebPkiSupportedAlgorithms);

impl Default for AnyCertificate {
    fn default() -> Self {
        Self(rustls::crypto::ring::default_provider().signature_verification_algorithms)
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// Begins an HTTP client that asks directly and once: no proxies from the environment, no retries, no redirects unless
/// the caller adds them.
pub fn http_client(more: Option<&[u8]>) -> Result<reqwest::ClientBuilder, String> {
    Ok(http(tls(more)?))
}

/// Begins an HTTP client like [`http_client`] that takes any certificate. Nothing secret may be sent by it, and nothing that
/// it is told may be more than an answer.
pub fn http_client_of_anyone() -> Result<reqwest::ClientBuilder, String> {
    let mut tls = tls(None)?;
    tls.dangerous()
        .set_certificate_verifier(Arc::new(AnyCertificate::default()));
    Ok(http(tls))
}

fn http(tls: rustls::ClientConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("towpath/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
}

/// Why a request got no answer. The text is the same each time the same thing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The time was up.
    TimedOut,
    /// Nobody listens there.
    Refused,
    /// The peer ended the connection before it had answered.
    Broken,
    /// The peer's certificate or its TLS is not accepted.
    Tls(String),
    /// The name has no address.
    NoAddress,
    /// The address is not one that can be asked.
    Address,
    /// No way to the peer, or no way to tell.
    NoWay,
}

impl Fault {
    /// Why this request failed.
    pub fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TimedOut;
        }
        if error.is_builder() {
            return Self::Address;
        }
        causes(error)
            .find_map(Self::cause)
            .unwrap_or(if error.is_connect() {
                Self::NoWay
            } else {
                Self::Broken
            })
    }

    /// Why something failed, if this cause says it.
    pub fn cause(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::Tls(tls.to_string()));
        }
        // The resolver's error has no type of its own that could be asked.
        if error.to_string() == "dns error" {
            return Some(Self::NoAddress);
        }
        Self::of_io(error.downcast_ref::<io::Error>()?)
    }

    /// Why this connection failed, where its kind or what it wraps says it.
    pub fn of_io(error: &io::Error) -> Option<Self> {
        // `source` of an io::Error leaves out the error that it wraps.
        if let Some(fault) = error.get_ref().and_then(|inner| Self::cause(inner)) {
            return Some(fault);
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(Self::Refused),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Some(Self::Broken),
            io::ErrorKind::TimedOut => Some(Self::TimedOut),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Self::NoWay),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("it did not answer in time"),
            Self::Refused => f.write_str("it refused the connection"),
            Self::Broken => f.write_str("it ended the connection without an answer"),
            Self::Tls(why) => write!(f, "its TLS is not accepted ({why})"),
            Self::NoAddress => f.write_str("its name has no address"),
            Self::Address => f.write_str("its address is not one that can be asked"),
            Self::NoWay => f.write_str("it cannot be reached"),
        }
    }
}

/// An error and what caused it, outermost first.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_that_holds_no_certificate_is_refused() {
        for pem in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            let refusal = tls(Some(pem.as_bytes()))
                .map(|_| ())
                .expect_err("no certificate");
            assert!(refusal.contains("must be certificates in PEM"), "{refusal}");
        }
        assert!(tls(None).is_ok());
    }

    #[tokio::test]
    async fn a_closed_port_refuses_and_an_unknown_name_has_no_address() {
        let client = http_client(None)
            .expect("settings")
            .build()
            .expect("client");
        let closed = std::net::TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("its address");
        let error = client
            .get(format!("http://{closed}/"))
            .send()
            .await
            .expect_err("nobody listens");
        assert_eq!(Fault::of(&error), Fault::Refused);
        let error = client
            .get("http://name.invalid/")
            .send()
            .await
            .expect_err("no such name");
        assert_eq!(Fault::of(&error), Fault::NoAddress);
        let error = client
            .get("not an address")
            .send()
            .await
            .expect_err("not an address");
        assert_eq!(Fault::of(&error), Fault::Address);
    }

    #[tokio::test]
    async fn plain_http_behind_https_is_a_fault_of_tls() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("its address");
        tokio::spawn(async move { axum::serve(listener, axum::Router::new()).await });
        let client = http_client(None)
            .expect("settings")
            .build()
            .expect("client");
        let error = client
            .get(format!("https://{address}/"))
            .send()
            .await
            .expect_err("not TLS");
        assert!(matches!(Fault::of(&error), Fault::Tls(_)), "{error:?}");
    }

    /// Ends the server with the test.
    struct Ends(std::process::Child);

    impl Drop for Ends {
        fn drop(&mut self) {
            _ = self.0.kill();
            _ = self.0.wait();
        }
    }

    #[tokio::test]
    async fn a_private_ca_is_trusted_only_where_it_is_named() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let openssl = |arguments: &str| {
            let mut command = std::process::Command::new("openssl");
            command
                .args(arguments.split(' '))
                .current_dir(folder.path());
            command
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null());
            command.spawn().expect("openssl runs")
        };
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
        let port = port.expect("a port").port();
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        let name = "-subj /CN=registry -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
        for made in [
            format!("req -x509 {key} -subj /CN=CA -keyout ca.key -out ca.crt"),
            format!("req -x509 {key} {name} -CA ca.crt -CAkey ca.key -keyout tls.key -out tls.crt"),
        ] {
            assert!(
                openssl(&made).wait().expect("it ends").success(),
                "openssl {made}"
            );
        }
        let _server = Ends(openssl(&format!(
            "s_server -www -accept 127.0.0.1:{port} -cert tls.crt -key tls.key"
        )));
        let pem = std::fs::read(folder.path().join("ca.crt")).expect("the CA");
        let asked = async |more: Option<&[u8]>| {
            let client = http_client(more)
                .expect("settings")
                .build()
                .expect("client");
            client
                .get(format!("https://127.0.0.1:{port}/"))
                .send()
                .await
                .map_err(|error| Fault::of(&error))
        };
        let mut named = asked(Some(&pem)).await;
        for _ in 0..50 {
            if !matches!(named, Err(Fault::Refused)) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            named = asked(Some(&pem)).await;
        }
        assert_eq!(named.map(|response| response.status().as_u16()), Ok(200));
        let unnamed = asked(None).await.map(|response| response.status());
        assert!(matches!(unnamed, Err(Fault::Tls(_))), "{unnamed:?}");
    }
}
