//! The activator before real servers on this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::peers::MUTE;
use super::proxy::Proxy;
use super::server::{self, Patience};
use super::table::{AT_ONCE, Preview, Table};

const HOST: &str = "shop-pr-7.example.com";
const SOON: Duration = Duration::from_secs(10);

/// A preview whose Environment says this of itself.
fn preview(status: &str, reason: &str) -> Preview {
    let ready = json!({
        "type": "Ready", "status": status, "reason": reason, "message": "password: hunter2",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let environment = json!({
        "metadata": {"namespace": "previews", "name": "shop-pr-7", "uid": "1"},
        "spec": {
            "appRef": {"name": "shop"}, "release": {"image": "shop:1"},
            "hosts": [{"host": HOST, "routes": [{"path": "/", "component": "web"}, {"path": "/api", "component": "api"}]}],
            "preview": {"number": 7, "sleep": {"afterSeconds": 600}},
        },
        "status": {"conditions": [ready], "hosts": [HOST]},
    });
    Preview::of(&serde_json::from_value(environment).unwrap()).unwrap()
}

struct Activator {
    address: SocketAddr,
    table: Arc<Table>,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

async fn activator(previews: Vec<Preview>) -> Activator {
    patient(previews, Patience::default()).await
}

async fn patient(previews: Vec<Preview>, patience: Patience) -> Activator {
    let table = Arc::new(Table::default());
    table.replace(None, previews);
    let proxy = Proxy::new(table.clone()).answering_within(Duration::from_millis(500));
    let proxy = Arc::new(proxy.ending_after(patience.idle));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let ended = tokio::spawn(server::serve(listener, proxy, patience, stop.clone()));
    Activator {
        address,
        table,
        stop,
        ended,
    }
}

/// A server that reads a request's head, tells it, and answers each connection with this.
async fn backend(answer: &'static [u8]) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, heads) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let head = head(&mut stream).await;
                let _ = told.send(head);
                if stream.write_all(answer).await.is_err() {
                    return;
                }
                // What comes now goes back as it came.
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    (address, heads)
}

/// What comes until the empty line.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap() == 0 {
            break;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Sends a request as it is, on a connection that ends with it, and reads all of the answer.
async fn ask(activator: &Activator, request: &str) -> String {
    let mut stream = TcpStream::connect(activator.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut answer)).await;
    read.expect("an answer").unwrap();
    String::from_utf8(answer).unwrap()
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{more}\r\n")
}

const FINE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-App: yes\r\nKeep-Alive: timeout=5\r\n\r\nhello";

#[tokio::test]
async fn requests_reach_the_component_of_their_path_with_their_headers() {
    let (web, _web) = backend(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nweb").await;
    let (api, mut heads) = backend(FINE).await;
    let preview = preview("True", "Ready");
    let preview = preview.with_backend("web", web).with_backend("api", api);
    let activator = activator(vec![preview]).await;
    let more = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nKeep-Alive: timeout=9\r\nTE: trailers\r\n";
    let answer = ask(&activator, &get("/api/carts?id=1", more)).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(
        answer.ends_with("hello") && answer.to_lowercase().contains("x-app: yes"),
        "{answer}"
    );
    assert!(
        !answer.to_lowercase().contains("keep-alive: timeout"),
        "{answer}"
    );
    let head = heads.recv().await.unwrap().to_lowercase();
    assert!(head.starts_with("get /api/carts?id=1 http/1.1"), "{head}");
    for kept in [
        &format!("host: {HOST}"),
        "x-forwarded-for: 203.0.113.9\r",
        "x-forwarded-proto: https",
    ] {
        assert!(head.contains(kept), "{kept} is not in {head}");
    }
    for own in ["keep-alive", "te: trailers"] {
        assert!(!head.contains(own), "{own} is in {head}");
    }
    assert!(
        ask(&activator, &get("/apis", "")).await.ends_with("web"),
        "by whole segments"
    );
    assert!(
        activator.table.all()[0]
            .activity
            .due(&activator.table.all()[0], jiff::Timestamp::now())
            .is_some()
    );
}

#[tokio::test]
async fn a_host_that_nobody_has_is_told_so() {
    let activator = activator(vec![preview("True", "Ready")]).await;
    let answer = ask(
        &activator,
        "GET / HTTP/1.1\r\nHost: <b>.example.com\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && !answer.contains("<b>"),
        "{answer}"
    );
    let answer = ask(
        &activator,
        "GET / HTTP/1.1\r\nHost: other.example.com\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    let answer = ask(
        &activator,
        "CONNECT shop-pr-7.example.com:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn who_asks_for_a_preview_that_sleeps_is_told_that_it_wakes() {
    let (web, _heads) = backend(FINE).await;
    let sleeping = preview("True", "Asleep").with_backend("web", web);
    let activator = activator(vec![sleeping]).await;
    let page = ask(&activator, &get("/", "Accept: text/html,*/*;q=0.8\r\n")).await;
    assert!(page.starts_with("HTTP/1.1 503"), "{page}");
    assert!(page.to_lowercase().contains("retry-after: 3"), "{page}");
    assert!(
        page.contains("shop pull request 7 is waking up")
            && page.contains("http-equiv=\"refresh\"")
    );
    assert!(
        !page.contains("src=") && !page.contains("href="),
        "nothing is loaded from elsewhere"
    );
    let text = ask(&activator, &get("/", "")).await;
    assert!(
        text.contains("text/plain") && text.contains("waking up") && !text.contains("<html"),
        "{text}"
    );
    let told = ask(&activator, &get("/", "Accept: application/json\r\n")).await;
    let body: Value = serde_json::from_str(told.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["status"], 503);
    let all = activator.table.all();
    assert!(
        all[0]
            .activity
            .due(&all[0], jiff::Timestamp::now())
            .is_some(),
        "the Lease is renewed"
    );
}

#[tokio::test]
async fn how_far_it_is_is_told_without_what_only_its_people_may_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap().to_string();
    drop(listener);
    let starting = preview("False", "RollingOut").with_backend("web", nobody);
    let activator = activator(vec![starting]).await;
    let answer = ask(&activator, &get("/", "Accept: text/html\r\n")).await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("Its pods start."),
        "{answer}"
    );
    assert!(!answer.contains("hunter2"));
}

#[tokio::test]
async fn a_preview_that_is_up_answers_before_its_status_says_so() {
    let (web, _heads) = backend(FINE).await;
    let activator = activator(vec![
        preview("False", "RollingOut").with_backend("web", web),
    ])
    .await;
    assert!(ask(&activator, &get("/", "")).await.ends_with("hello"));
}

#[tokio::test]
async fn what_a_preview_does_wrong_is_told() {
    let (broken, _heads) = backend(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").await;
    let (silent, _heads) = backend(b"").await;
    let ready = preview("True", "Ready");
    let activator = activator(vec![
        ready
            .with_backend("web", broken)
            .with_backend("api", silent),
    ])
    .await;
    let answer = ask(&activator, &get("/", "")).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let answer = ask(&activator, &get("/api", "")).await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
}

#[tokio::test]
async fn answers_and_requests_are_passed_on_as_they_come() {
    let (web, _heads) =
        backend(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nfirst\n").await;
    let activator = activator(vec![preview("True", "Ready").with_backend("web", web)]).await;
    let mut stream = TcpStream::connect(activator.address).await.unwrap();
    let request = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 12\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = String::new();
    let mut read = async |stream: &mut TcpStream, until: &str| {
        while !seen.contains(until) {
            let mut part = [0; 1024];
            let length = timeout(SOON, stream.read(&mut part))
                .await
                .expect(until)
                .unwrap();
            assert!(length > 0, "it ended: {seen}");
            seen.push_str(std::str::from_utf8(&part[..length]).unwrap());
        }
    };
    read(&mut stream, "first").await;
    let all = activator.table.all();
    assert_eq!(all[0].places.available_permits(), AT_ONCE - 1, "it is open");
    stream.write_all(b"second").await.unwrap();
    read(&mut stream, "second").await;
    drop(stream);
    let closed = async {
        while all[0].places.available_permits() < AT_ONCE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, closed)
        .await
        .expect("it is closed with its client");
}

#[tokio::test]
async fn a_connection_becomes_another_protocol() {
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
    let (web, mut heads) = backend(answer).await;
    let activator = activator(vec![preview("True", "Ready").with_backend("web", web)]).await;
    let mut stream = TcpStream::connect(activator.address).await.unwrap();
    let request = format!(
        "GET /live HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let told = head(&mut stream).await.to_lowercase();
    assert!(
        told.starts_with("http/1.1 101") && told.contains("upgrade: websocket"),
        "{told}"
    );
    assert!(told.contains("sec-websocket-accept: x"), "{told}");
    let asked = heads.recv().await.unwrap().to_lowercase();
    assert!(
        asked.contains("connection: upgrade") && asked.contains("sec-websocket-key: k"),
        "{asked}"
    );
    stream.write_all(b"ping").await.unwrap();
    let mut echoed = [0; 4];
    timeout(SOON, stream.read_exact(&mut echoed))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&echoed, b"ping");
    let all = activator.table.all();
    all[0]
        .activity
        .due(&all[0], jiff::Timestamp::now())
        .expect("it is asked for as long as it is open");
}

#[tokio::test]
async fn a_flood_of_one_preview_is_bounded_and_leaves_the_others_alone() {
    let (silent, _heads) = backend(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe").await;
    let (other, _others) = backend(FINE).await;
    let mut calm: Value = json!(null);
    let mut make = || {
        calm = json!({
            "metadata": {"namespace": "previews", "name": "shop-pr-8", "uid": "2"},
            "spec": {
                "appRef": {"name": "shop"}, "release": {"image": "shop:1"}, "preview": {"number": 8},
                "hosts": [{"host": "shop-pr-8.example.com", "routes": [{"path": "/", "component": "web"}]}],
            },
            "status": {"hosts": ["shop-pr-8.example.com"]},
        });
        Preview::of(&serde_json::from_value(calm.clone()).unwrap()).unwrap()
    };
    let calm = make().with_backend("web", other);
    let activator = activator(vec![
        preview("True", "Ready").with_backend("web", silent),
        calm,
    ])
    .await;
    let mut open = Vec::new();
    for _ in 0..AT_ONCE {
        let mut stream = TcpStream::connect(activator.address).await.unwrap();
        stream.write_all(get("/", "").as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
        open.push(stream);
    }
    let answer = ask(&activator, &get("/", "")).await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("too many"),
        "{answer}"
    );
    let request = "GET / HTTP/1.1\r\nHost: shop-pr-8.example.com\r\nConnection: close\r\n\r\n";
    assert!(ask(&activator, request).await.ends_with("hello"));
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let activator = activator(vec![preview("True", "Ready")]).await;
    let long = format!("X-Long: {}\r\n", "a".repeat(200_000));
    let mut stream = TcpStream::connect(activator.address).await.unwrap();
    // It may be refused before all of it is sent.
    let _ = stream.write_all(get("/", &long).as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut answer))
        .await
        .expect("an end");
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
}

/// From this address of this machine.
async fn connect_from(last: u8, activator: &Activator) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(SocketAddr::from(([127, 0, 0, last], 0)))
        .unwrap();
    socket.connect(activator.address).await.unwrap()
}

async fn is_closed(stream: &mut TcpStream) {
    let read = timeout(SOON, stream.read(&mut [0; 64])).await;
    assert!(matches!(read.expect("an end"), Ok(0) | Err(_)));
}

fn hasty() -> Patience {
    Patience {
        first: Duration::from_secs(3),
        idle: Duration::from_secs(3),
    }
}

#[tokio::test]
async fn who_connects_and_asks_nothing_takes_no_room_from_others() {
    let (web, _heads) = backend(FINE).await;
    let ready = preview("True", "Ready").with_backend("web", web);
    let activator = patient(vec![ready], hasty()).await;
    let mut mute = Vec::new();
    for _ in 0..MUTE {
        let mut stream = connect_from(2, &activator).await;
        stream.write_all(b"GET / HT").await.unwrap();
        mute.push(stream);
    }
    is_closed(&mut connect_from(2, &activator).await).await;
    assert!(ask(&activator, &get("/", "")).await.ends_with("hello"));
    for stream in &mut mute {
        is_closed(stream).await;
    }
    let mut stream = connect_from(2, &activator).await;
    stream.write_all(get("/", "").as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_without_a_byte_ends_and_its_place_is_free() {
    let upgrade =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let (live, _heads) = backend(upgrade).await;
    let (slow, _others) = backend(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe").await;
    let ready = preview("True", "Ready");
    let ready = ready.with_backend("api", live).with_backend("web", slow);
    let activator = patient(vec![ready], hasty()).await;
    let more = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let upgraded = format!("GET /api HTTP/1.1\r\nHost: {HOST}\r\n{more}\r\n");
    let mut socket = connect_from(2, &activator).await;
    socket.write_all(upgraded.as_bytes()).await.unwrap();
    assert!(head(&mut socket).await.starts_with("HTTP/1.1 101"));
    // As long as anything is said it goes on.
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(800)).await;
        socket.write_all(b"ping").await.unwrap();
        let echoed = timeout(SOON, socket.read_exact(&mut [0; 4])).await;
        echoed.unwrap().unwrap();
    }
    let mut stalled = connect_from(3, &activator).await;
    stalled.write_all(get("/", "").as_bytes()).await.unwrap();
    assert!(head(&mut stalled).await.starts_with("HTTP/1.1 200"));
    timeout(SOON, stalled.read_to_end(&mut Vec::new()))
        .await
        .expect("an end")
        .ok();
    is_closed(&mut socket).await;
    let all = activator.table.all();
    let free = async {
        while all[0].places.available_permits() < AT_ONCE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, free).await.expect("both places are free");
}

/// A client that takes nothing of a long answer holds no place for ever.
#[tokio::test]
async fn who_does_not_read_is_ended() {
    let long: &'static [u8] = Vec::leak(
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n".to_vec(),
            vec![b'a'; 64 << 20],
        ]
        .concat(),
    );
    let (web, _heads) = backend(long).await;
    let ready = preview("True", "Ready").with_backend("web", web);
    let activator = patient(vec![ready], hasty()).await;
    let mut stream = connect_from(2, &activator).await;
    stream.write_all(get("/", "").as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    let all = activator.table.all();
    assert_eq!(all[0].places.available_permits(), AT_ONCE - 1);
    let free = async {
        while all[0].places.available_permits() < AT_ONCE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, free).await.expect("its place is free");
}

#[tokio::test]
async fn what_is_open_is_finished_when_it_ends() {
    let (web, _heads) = backend(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await;
    let activator = activator(vec![preview("True", "Ready").with_backend("web", web)]).await;
    let mut stream = TcpStream::connect(activator.address).await.unwrap();
    let request = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    activator.stop.cancel();
    stream.write_all(b"world").await.unwrap();
    let mut answer = [0; 10];
    timeout(SOON, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"helloworld");
    timeout(SOON, activator.ended)
        .await
        .expect("it ends")
        .unwrap();
}

#[test]
fn the_older_of_two_previews_has_a_host() {
    let of = |name: &str, uid: &str, created: &str| {
        let environment = json!({
            "metadata": {"namespace": "previews", "name": name, "uid": uid, "creationTimestamp": created},
            "spec": {
                "appRef": {"name": "shop"}, "release": {"image": "shop:1"}, "preview": {"number": 7},
                "hosts": [{"host": HOST, "routes": [{"path": "/", "component": "web"}]}],
            },
            "status": {"hosts": [HOST]},
        });
        Preview::of(&serde_json::from_value(environment).unwrap()).unwrap()
    };
    let table = Table::default();
    table.put(of("younger", "2", "2026-02-01T00:00:00Z"));
    table.put(of("older", "1", "2026-01-01T00:00:00Z"));
    let older = table.find(HOST).unwrap();
    assert_eq!(older.place.name, "older");
    let open = older.activity.ask(jiff::Timestamp::now());
    table.put(of("older", "1", "2026-01-01T00:00:00Z"));
    let again = table.find(HOST).unwrap();
    assert!(
        Arc::ptr_eq(&again.activity, &older.activity),
        "it is the same one"
    );
    drop(open);
    table.remove(&older.place);
    assert_eq!(table.find(HOST).unwrap().place.name, "younger");
    table.replace(Some("elsewhere"), Vec::new());
    assert!(table.find(HOST).is_some());
    table.replace(None, Vec::new());
    assert!(table.find(HOST).is_none());
}

#[test]
fn who_only_names_a_host_does_not_get_its_requests() {
    let of = |name: &str, held: &[&str]| {
        let environment = json!({
            "metadata": {"namespace": "previews", "name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {
                "appRef": {"name": "shop"}, "release": {"image": "shop:1"}, "preview": {"number": 7},
                "hosts": [{"host": HOST, "routes": [{"path": "/", "component": "web"}]}],
            },
            "status": {"hosts": held},
        });
        Preview::of(&serde_json::from_value(environment).unwrap()).unwrap()
    };
    let table = Table::default();
    table.put(of("a-thief", &[]));
    assert!(table.find(HOST).is_none());
    table.put(of("owner", &[HOST]));
    assert_eq!(table.find(HOST).unwrap().place.name, "owner");
}
