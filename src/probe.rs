//! Asks an address over HTTP, once: what verification rests on.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::HOST;

use crate::outbound::{self, Fault};

/// How long the look-up of an address may take.
const LOOKUP: Duration = Duration::from_secs(5);

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The address, `http://` or `https://`.
    pub url: String,
    /// Value of the Host header, where it is not the address's own host.
    pub host: Option<String>,
    /// How long the answer may take.
    pub timeout: Duration,
}

/// What came back. A check that said no and a check that could not be made are different outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status of 200 to 399.
    Yes,
    /// Another status, or an address where nobody listens or speaks.
    No(String),
    /// No answer in time, or no way to ask, such as a gateway without a certificate for the host.
    Unknown(String),
}

/// The client that probes are asked with: directly, without redirects or retries, and on a new connection each time, so
/// that an answer tells of the pods that serve now.
pub fn client() -> Result<reqwest::Client, String> {
    let builder = outbound::http_client(None)?.pool_max_idle_per_host(0);
    builder.build().map_err(|error| error.to_string())
}

/// A client like [`client`] that connects to `address` (`host:port`, or `host` for the port of the probe's URL) whenever a
/// probe asks `host`. TLS asks for the certificate of `host`, which a Host header alone could not do, and takes any: a check
/// asks whether the app answers, not who signed for the gateway.
pub async fn client_through(host: &str, address: &str) -> Result<reqwest::Client, String> {
    let with_port = match address.parse::<http::uri::Authority>() {
        Ok(authority) if authority.port().is_none() => format!("{address}:0"),
        _ => address.to_string(),
    };
    let lookup = tokio::time::timeout(LOOKUP, tokio::net::lookup_host(with_port)).await;
    let found: Vec<SocketAddr> = match lookup {
        Ok(Ok(found)) => found.collect(),
        _ => return Err(format!("the address {address} cannot be looked up")),
    };
    let builder = outbound::http_client_of_anyone()?
        .pool_max_idle_per_host(0)
        .resolve_to_addrs(host, &found);
    builder.build().map_err(|error| error.to_string())
}

/// Asks once. The body is not read.
pub async fn ask(client: &reqwest::Client, target: &Probe) -> Answer {
    let mut request = client.get(&target.url).timeout(target.timeout);
    if let Some(host) = &target.host {
        request = request.header(HOST, host);
    }
    match request.send().await {
        Ok(response) if response.status().is_success() || response.status().is_redirection() => {
            Answer::Yes
        }
        Ok(response) => Answer::No(format!("it answered {}", response.status().as_u16())),
        Err(error) => unanswered(&Fault::of(&error), target.timeout),
    }
}

/// Nobody listening is a fact about the target; silence, a way that is not there, or a certificate of the gateway is not.
fn unanswered(fault: &Fault, timeout: Duration) -> Answer {
    match fault {
        Fault::Refused | Fault::Broken | Fault::Address => Answer::No(fault.to_string()),
        Fault::TimedOut => Answer::Unknown(format!(
            "it did not answer within {} s",
            timeout.as_secs_f64()
        )),
        Fault::Tls(_) | Fault::NoAddress | Fault::NoWay => Answer::Unknown(fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::Redirect;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A server with an answer of every kind; its address.
    async fn served() -> String {
        let app = Router::new()
            .route("/200", get(|| async { "ok" }))
            .route("/302", get(|| async { Redirect::to("/500") }))
            .route("/404", get(|| async { StatusCode::NOT_FOUND }))
            .route("/503", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
            .route("/hangs", get(std::future::pending::<()>))
            .route("/host", get(only_for_shop));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("its address");
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    }

    async fn only_for_shop(headers: HeaderMap) -> StatusCode {
        let shop = headers
            .get(HOST)
            .is_some_and(|host| host == "shop.example.com");
        if shop {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        }
    }

    async fn asked(url: String, host: Option<&str>) -> Answer {
        let timeout = Duration::from_millis(300);
        ask(
            &client().expect("client"),
            &Probe {
                url,
                host: host.map(Into::into),
                timeout,
            },
        )
        .await
    }

    #[tokio::test]
    async fn a_status_of_200_to_399_is_a_yes_and_no_redirect_is_followed() {
        let server = served().await;
        assert_eq!(asked(format!("{server}/200"), None).await, Answer::Yes);
        assert_eq!(asked(format!("{server}/302"), None).await, Answer::Yes);
    }

    #[tokio::test]
    async fn another_status_and_a_closed_port_are_a_no() {
        let server = served().await;
        assert_eq!(
            asked(format!("{server}/404"), None).await,
            Answer::No("it answered 404".into())
        );
        assert_eq!(
            asked(format!("{server}/503"), None).await,
            Answer::No("it answered 503".into())
        );
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
        let closed = format!("http://{}/", port.expect("a port that closes again"));
        assert_eq!(
            asked(closed, None).await,
            Answer::No("it refused the connection".into())
        );
    }

    #[tokio::test]
    async fn silence_and_an_unknown_name_are_unknown() {
        let server = served().await;
        let silent = Answer::Unknown("it did not answer within 0.3 s".into());
        assert_eq!(asked(format!("{server}/hangs"), None).await, silent);
        let nowhere = asked("http://name.invalid/".into(), None).await;
        assert_eq!(nowhere, Answer::Unknown("its name has no address".into()));
    }

    #[tokio::test]
    async fn a_peer_that_hangs_up_is_a_no() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("its address");
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                drop(connection);
            }
        });
        let answer = asked(format!("http://{address}/"), None).await;
        assert!(matches!(answer, Answer::No(_)), "{answer:?}");
    }

    #[tokio::test]
    async fn the_host_asked_for_can_differ_from_the_address() {
        let server = served().await;
        let url = format!("{server}/host");
        assert_eq!(
            asked(url.clone(), Some("shop.example.com")).await,
            Answer::Yes
        );
        assert_eq!(
            asked(url.clone(), None).await,
            Answer::No("it answered 404".into())
        );
        let odd = asked(url, Some("a\nb")).await;
        assert!(matches!(odd, Answer::No(_)), "{odd:?}");
    }

    #[tokio::test]
    async fn a_client_through_an_address_asks_there_by_the_hosts_own_name() {
        let server = served().await;
        let address = server.strip_prefix("http://").expect("plain");
        let through = client_through("shop.example.com", address)
            .await
            .expect("client");
        let url = "http://shop.example.com/host".to_string();
        let probe = Probe {
            url,
            host: None,
            timeout: Duration::from_secs(1),
        };
        assert_eq!(ask(&through, &probe).await, Answer::Yes);
        let refusal = client_through("shop.example.com", "name.invalid")
            .await
            .expect_err("no address");
        assert_eq!(refusal, "the address name.invalid cannot be looked up");
    }

    #[tokio::test]
    async fn tls_names_the_host_and_its_fault_is_the_gateways() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("its address");
        let greeted = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.expect("a connection");
            let mut hello = vec![0; 1024];
            let length = connection.read(&mut hello).await.expect("a greeting");
            // A fatal alert, `unrecognized_name`: the gateway has no certificate for this host.
            let alert = [0x15, 3, 3, 0, 2, 2, 112];
            connection.write_all(&alert).await.expect("an answer");
            hello.truncate(length);
            hello
        });
        let through = client_through("shop.example.com", &address.to_string()).await;
        let probe = Probe {
            url: format!("https://shop.example.com:{}/", address.port()),
            host: Some("shop.example.com".into()),
            timeout: Duration::from_secs(1),
        };
        let answer = ask(&through.expect("client"), &probe).await;
        assert!(
            matches!(&answer, Answer::Unknown(why) if why.contains("TLS")),
            "{answer:?}"
        );
        let hello = greeted.await.expect("it was greeted");
        let name = b"shop.example.com";
        assert!(hello.windows(name.len()).any(|part| part == name));
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
    async fn who_signed_for_the_gateway_is_not_asked() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let openssl = |arguments: &str| {
            let mut command = std::process::Command::new("openssl");
            command.args(arguments.split(' ')).current_dir(&folder);
            command.stdout(std::process::Stdio::null());
            command.stderr(std::process::Stdio::null());
            command.spawn().expect("openssl runs")
        };
        let made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=gateway -keyout tls.key -out tls.crt";
        assert!(openssl(made).wait().expect("it ends").success());
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
        let address = port.expect("a port");
        let _server = Ends(openssl(&format!(
            "s_server -www -accept {address} -cert tls.crt -key tls.key"
        )));
        let through = client_through("shop.example.com", &address.to_string()).await;
        let through = through.expect("client");
        let probe = Probe {
            url: format!("https://shop.example.com:{}/", address.port()),
            host: Some("shop.example.com".into()),
            timeout: Duration::from_secs(10),
        };
        let mut answer = ask(&through, &probe).await;
        for _ in 0..200 {
            if !matches!(&answer, Answer::No(why) if why.contains("refused")) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer = ask(&through, &probe).await;
        }
        assert_eq!(answer, Answer::Yes);
    }
}
