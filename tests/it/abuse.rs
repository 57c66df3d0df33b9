//! What strangers try: sockets that dawdle, bodies that never end.

use crate::api::Program;
use crate::world::World;
use chatsheet::server::api::Scope;
use futures_util::future::join_all;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// Nothing may dawdle for longer.
const CUT: Duration = Duration::from_secs(10);

/// Sends this and then a byte now and then; returns how long the other side put up with it.
async fn dawdle(address: SocketAddr, words: &'static [u8]) -> Duration {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let began = Instant::now();
    socket.write_all(words).await.unwrap();
    let mut answer = Vec::new();
    loop {
        match timeout(Duration::from_secs(1), socket.read_buf(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => return began.elapsed(),
            Ok(Ok(_)) => {}
            Err(_) if began.elapsed() > CUT * 2 => return began.elapsed(),
            // Who is cut off meanwhile learns of it by reading.
            Err(_) => drop(socket.write_all(if words.len() > 4 { b"x" } else { b"" }).await),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_dawdle_are_cut_and_nobody_else_notices() {
    let world = World::start().await;
    let address = world.app.address;
    let words: [&[u8]; 4] = [
        b"",
        b"PRI",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /api/webhooks/smartsheet HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    ];
    let dawdlers = tokio::spawn(join_all((0..200).map(|i| dawdle(address, words[i % words.len()]))));
    let http = crate::smartsheet_api::http();
    while !dawdlers.is_finished() {
        assert_eq!(http.get(format!("http://{address}/livez")).send().await.unwrap().status().as_u16(), 200);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let took = dawdlers.await.unwrap();
    let late: Vec<_> = took.iter().enumerate().filter(|(_, t)| **t > CUT).collect();
    assert!(late.is_empty(), "{} were not cut: {:?}", late.len(), &late[..late.len().min(4)]);
    world.end().await;
}

/// Asks for more than the buffers between both sides take, and reads nothing.
async fn ask_and_look_away(address: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(400);
    let _ = timeout(Duration::from_secs(2), socket.write_all(&request)).await;
    socket
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_and_does_not_read_is_cut_and_holds_up_no_stop() {
    let world = World::start().await;
    let address = world.app.address;
    let mut sockets = join_all((0..50).map(|_| ask_and_look_away(address))).await;
    tokio::time::sleep(Duration::from_secs(25)).await;
    for socket in &mut sockets {
        // What was on its way is read, and then nothing more comes.
        let mut all = Vec::new();
        let ended = timeout(CUT, socket.read_to_end(&mut all)).await;
        assert!(ended.is_ok(), "it was not cut");
        assert!(all.len() < 400 * 20_000, "{} bytes", all.len());
    }
    let _again = join_all((0..50).map(|_| ask_and_look_away(address))).await;
    let began = Instant::now();
    world.end().await;
    assert!(began.elapsed() < CUT, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_connection_that_answers_no_ping_is_cut() {
    let world = World::start().await;
    let program = Program::new(&world, "silent", &[Scope::Read]).await;
    let ticket = program.post("/api/ws-ticket", json!({})).await.body["ticket"].as_str().unwrap().to_owned();
    let mut socket = TcpStream::connect(world.app.address).await.unwrap();
    let asked = format!(
        "GET /ws?ticket={ticket} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(asked.as_bytes()).await.unwrap();
    let mut told = Vec::new();
    // A ping after 20 s, and when the next is due it is over.
    timeout(Duration::from_secs(60), socket.read_to_end(&mut told)).await.expect("it is cut").unwrap();
    assert!(told.starts_with(b"HTTP/1.1 101") && told.ends_with(&[0x89, 0]), "{}", String::from_utf8_lossy(&told));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_without_end_are_answered_before_they_are_read() {
    let world = World::start().await;
    let http = crate::smartsheet_api::http();
    for path in ["/api/webhooks/smartsheet", "/api/webhooks/slack", "/api/sessions"] {
        for length in [32_u64 << 20, 1 << 30] {
            let mut socket = TcpStream::connect(world.app.address).await.unwrap();
            let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
            socket.write_all(head.as_bytes()).await.unwrap();
            let mut answer = vec![0; 4096];
            let n = timeout(CUT, socket.read(&mut answer)).await.expect("it is answered").unwrap();
            let text = String::from_utf8_lossy(&answer[..n]).into_owned();
            assert!(
                text.starts_with("HTTP/1.1 413") || (path == "/api/sessions" && text.starts_with("HTTP/1.1 401")),
                "{path} {length}: {text}"
            );
        }
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'['; 64 << 10]));
        let endless = http.post(format!("http://{}{path}", world.app.address)).body(reqwest::Body::wrap_stream(chunks)).send();
        match timeout(CUT, endless).await.expect("it ends") {
            Ok(answer) => {
                assert!(matches!(answer.status().as_u16(), 413 | 401), "{path}: {}", answer.status());
                assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
            }
            // The socket was closed while we were still sending.
            Err(error) => assert!(error.is_request() || error.is_body(), "{error}"),
        }
    }
    assert_eq!(http.get(format!("http://{}/livez", world.app.address)).send().await.unwrap().status().as_u16(), 200);
    world.end().await;
}
