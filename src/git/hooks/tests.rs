use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::GitProvider;
use crate::git::webhook::Secret;

const SECRET: &[u8] = b"a secret of sixteen bytes or more";
const BODY: &str = include_str!("../../../tests/fixtures/git/github/webhook_pull_request.json");

struct Served {
    address: String,
    hints: mpsc::Receiver<Hint>,
}

/// Takes webhooks on a local port, with room for so many hints.
async fn served(room: usize) -> Served {
    let (sender, hints) = mpsc::channel(room);
    let receiver = |name: &str, provider, secrets: &[&[u8]]| Receiver {
        name: name.into(),
        provider,
        secrets: secrets
            .iter()
            .map(|s| Secret::new(s).expect("a secret"))
            .collect(),
    };
    let receivers = vec![
        receiver(
            "github",
            GitProvider::GitHub,
            &[b"the secret of before", SECRET],
        ),
        receiver("gitlab", GitProvider::GitLab, &[SECRET]),
        receiver("forgejo", GitProvider::Forgejo, &[SECRET]),
        receiver("polled", GitProvider::GitHub, &[]),
    ];
    let app = Hooks::new(receivers, sender).router();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Served { address, hints }
}

fn code(body: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
    let code = ring::hmac::sign(&key, body.as_bytes());
    code.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Served {
    async fn send(&self, host: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let url = format!("http://{}/hooks/git/{host}", self.address);
        let client = crate::probe::client().expect("a client");
        let mut request = client.post(url).body(body.to_owned());
        request = request.header("content-type", "application/json; charset=utf-8");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.text().await.expect("its text"))
    }

    async fn github(&self, event: &str, delivery: &str, body: &str) -> (u16, String) {
        let signature = format!("sha256={}", code(body));
        let headers = [
            ("x-github-event", event),
            ("x-github-delivery", delivery),
            ("x-hub-signature-256", &signature),
        ];
        self.send("github", &headers, body).await
    }

    /// Numbers that were hinted at since the last time.
    fn hinted(&mut self) -> Vec<u64> {
        let hints = std::iter::from_fn(|| self.hints.try_recv().ok());
        hints.map(|hint| hint.number).collect()
    }
}

#[tokio::test]
async fn a_signed_event_hints_at_its_pull_request_and_no_more() {
    let mut served = served(8).await;
    assert_eq!(
        served.github("pull_request", "d1", BODY).await,
        (202, "accepted\n".into())
    );
    let hint = served.hints.try_recv().expect("a hint");
    assert_eq!(
        (hint.host.as_str(), hint.repository.as_str(), hint.number),
        ("github", "acme/shop", 42)
    );
    assert_eq!(
        served.github("ping", "d2", "{}").await,
        (202, "heard\n".into())
    );
    assert_eq!(
        served.github("star", "d3", "{}").await,
        (202, "ignored\n".into())
    );
    assert!(served.hinted().is_empty());
}

#[tokio::test]
async fn every_host_has_a_path_of_its_own() {
    let mut served = served(8).await;
    let token = std::str::from_utf8(SECRET).expect("text");
    let body = include_str!("../../../tests/fixtures/git/gitlab/webhook_merge_request.json");
    let headers = [
        ("x-gitlab-event", "Merge Request Hook"),
        ("x-gitlab-token", token),
    ];
    assert_eq!(served.send("gitlab", &headers, body).await.0, 202);
    let body = include_str!("../../../tests/fixtures/git/forgejo/webhook_pull_request.json");
    let signature = code(body);
    let headers = [
        ("x-forgejo-event", "pull_request"),
        ("x-forgejo-signature", &signature),
    ];
    assert_eq!(served.send("forgejo", &headers, body).await.0, 202);
    assert_eq!(served.hinted(), [42, 42]);
    let (status, why) = served.send("other", &headers, body).await;
    assert_eq!(
        (status, why.contains("must end with the name of a host")),
        (404, true)
    );
    let (status, why) = served.send("polled", &headers, body).await;
    assert_eq!(
        (status, why.contains("must have a webhookSecret")),
        (403, true)
    );
}

#[tokio::test]
async fn what_is_not_signed_is_refused_before_it_is_read() {
    let mut served = served(8).await;
    let other = format!("sha256={}", code("something else"));
    for signature in [None, Some(""), Some("sha256=00"), Some(other.as_str())] {
        let mut headers = vec![("x-github-event", "pull_request")];
        headers.extend(signature.map(|signature| ("x-hub-signature-256", signature)));
        for body in [BODY, "no JSON"] {
            let (status, why) = served.send("github", &headers, body).await;
            assert_eq!(status, 401, "{signature:?}");
            assert_eq!(why, "the webhook must be signed with the host's secret\n");
        }
    }
    assert!(served.hinted().is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_by_what_must_be() {
    let mut served = served(8).await;
    for body in ["no JSON", "", &BODY[..500], "{\"number\": 42}"] {
        let (status, why) = served.github("pull_request", "d1", body).await;
        assert_eq!(
            (status, why.contains("must be the JSON")),
            (400, true),
            "{body}"
        );
    }
    assert!(served.hinted().is_empty());
    let client = crate::probe::client().expect("a client");
    let url = format!("http://{}/hooks/git/github", served.address);
    let form = client
        .post(&url)
        .header("content-type", "application/x-www-form-urlencoded");
    for (request, status) in [
        (form.body("payload=%7B%7D"), 415),
        (client.post(&url).body("{}"), 415),
        (client.get(&url), 405),
        (client.put(&url).body("{}"), 405),
    ] {
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), status);
    }
}

#[tokio::test]
async fn the_same_delivery_is_passed_on_once() {
    let mut served = served(8).await;
    for _ in 0..3 {
        assert_eq!(served.github("pull_request", "d1", BODY).await.0, 202);
    }
    assert_eq!(served.hinted(), [42]);
    assert_eq!(served.github("pull_request", "d2", BODY).await.0, 202);
    assert_eq!(served.hinted(), [42], "another delivery");
}

#[tokio::test]
async fn what_finds_no_room_may_come_again() {
    let mut served = served(1).await;
    assert_eq!(served.github("pull_request", "d1", BODY).await.0, 202);
    let (status, why) = served.github("pull_request", "d2", BODY).await;
    assert_eq!((status, why.contains("must be sent again")), (503, true));
    assert_eq!(served.hinted(), [42]);
    assert_eq!(served.github("pull_request", "d2", BODY).await.0, 202);
    assert_eq!(served.hinted(), [42]);
}

/// Sends a request by hand as long as it is taken; the status of the answer, and how many bytes were taken.
async fn sent(served: &Served, head: &str, piece: &[u8], most: usize) -> (String, usize) {
    let connection = TcpStream::connect(&served.address)
        .await
        .expect("a connection");
    let (mut reader, mut writer) = connection.into_split();
    let head = format!(
        "POST /hooks/git/github HTTP/1.1\r\nhost: towpath\r\ncontent-type: application/json\r\n{head}\r\n\r\n"
    );
    let piece = piece.to_vec();
    let writing = tokio::spawn(async move {
        let mut taken = 0;
        if writer.write_all(head.as_bytes()).await.is_err() {
            return taken;
        }
        while taken < most && writer.write_all(&piece).await.is_ok() {
            taken += piece.len();
        }
        let _ = writer.shutdown().await;
        taken
    });
    let mut answer = vec![0; 12];
    let read = tokio::time::timeout(Duration::from_secs(30), reader.read_exact(&mut answer));
    read.await.expect("in time").expect("an answer");
    // The rest of the answer, until the connection ends.
    let _ = tokio::time::timeout(Duration::from_secs(5), reader.read_to_end(&mut Vec::new())).await;
    let status = String::from_utf8_lossy(&answer[9..]).into_owned();
    (status, writing.await.expect("it ends"))
}

const GIGABYTE: usize = 1024 * 1024 * 1024;

#[tokio::test]
async fn a_gigabyte_is_refused_whether_its_size_is_announced_or_not() {
    let served = served(8).await;
    let length = format!("content-length: {GIGABYTE}");
    let (status, taken) = sent(&served, &length, &[b'x'; 65_536], GIGABYTE).await;
    assert_eq!(status, "413");
    assert!(taken < GIGABYTE / 32, "{taken} bytes were taken");
    // No more than fits is read where the size is not announced.
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 65_536], b"\r\n"].concat();
    let (status, taken) = sent(&served, "transfer-encoding: chunked", &chunk, GIGABYTE).await;
    assert_eq!(status, "413");
    assert!(taken < GIGABYTE / 32, "{taken} bytes were taken");
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_refused() {
    let served = served(8).await;
    let (status, _) = sent(&served, "content-length: 1000", &[b'x'; 100], 100).await;
    assert_eq!(status, "400");
    let odd = sent(&served, "content-length: many", b"{}", 2).await;
    assert_eq!(odd.0, "400");
}

#[tokio::test]
async fn exactly_a_mebibyte_is_taken() {
    let mut served = served(8).await;
    let mut body = BODY.trim_end().to_owned();
    body.push_str(&" ".repeat(1024 * 1024 - body.len()));
    assert_eq!(served.github("pull_request", "d1", &body).await.0, 202);
    body.push(' ');
    let (status, why) = served.github("pull_request", "d2", &body).await;
    assert_eq!(
        (status, why.as_str()),
        (413, "the webhook must have 1 MiB or less\n")
    );
    assert_eq!(served.hinted(), [42]);
}

#[tokio::test]
async fn a_thousand_events_at_once_keep_their_bounds() {
    let mut served = served(100).await;
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let body = BODY.replacen("\"number\": 42", &format!("\"number\": {}", number + 1), 1);
        let address = served.address.clone();
        sending.spawn(async move {
            let (_, hints) = mpsc::channel(1);
            let sender = Served { address, hints };
            sender
                .github("pull_request", &format!("d{number}"), &body)
                .await
                .0
        });
    }
    let answers = sending.join_all().await;
    let of = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((of(202), of(503)), (100, 900));
    assert_eq!(served.hinted().len(), 100);
}
