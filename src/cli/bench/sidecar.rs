//! What the API and live connections cost: `serve` as a process of its own, its callers in this one.

use super::figures::Figure;
use super::process::{Measured, free_port, settings, until_ready};
use crate::cli::folder::Folder;
use crate::server::api::{Scope, new_key};
use crate::store::Store;
use anyhow::Context;
use futures_util::StreamExt;
use reqwest::StatusCode;
use sandbox::{azure, slack, smartsheet};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Each key and each address has its own pace, so many of both are needed to find that of the server.
const KEYS: usize = 200;
const CALLERS: usize = 4;
const REQUESTS: usize = 8_000;
const SOCKETS: usize = 1_000;
/// Each takes some requests of the three hundred a minute that Smartsheet grants.
const CHANGES: usize = 10;
const DAWDLERS: usize = 200;

struct Sidecar {
    measured: Measured,
    http: reqwest::Client,
    base: String,
    keys: Vec<String>,
    sheet: String,
    row: String,
    _sides: (smartsheet::Smartsheet, azure::Azure, slack::Slack),
    _folder: Folder,
}

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let sidecar = Sidecar::start().await?;
    let mut figures = sidecar.pages().await?;
    figures.extend(sidecar.sockets().await?);
    figures.push(sidecar.abuse().await?);
    Ok(figures)
}

impl Sidecar {
    async fn start() -> anyhow::Result<Self> {
        let folder = Folder::make()?;
        let sheets = smartsheet::Smartsheet::start(smartsheet::Options::default()).await?;
        let azure = azure::Azure::start(azure::Options::default()).await?;
        let slack = slack::Slack::start(slack::Options::default()).await?;
        let port = free_port().await?;
        let mut settings = settings(&folder, port, [sheets.settings(), azure.settings(), slack.settings()]);
        settings.push(("TRUSTED_PROXIES", "127.0.0.1".into()));
        let database = settings.iter().find(|(k, _)| *k == "DATABASE_URL").map(|(_, v)| v.clone()).context("no database")?;
        let store = Store::connect(&database).await?;
        store.migrate().await?;
        let mut keys = Vec::with_capacity(KEYS);
        for i in 0..KEYS {
            let (key, secret) = new_key(&format!("bench {i}"), &Scope::ALL, 0);
            store.add_api_key(&key).await?;
            keys.push(secret);
        }
        store.close().await;
        let measured = Measured::start(&["serve"], &settings, &folder.0, 0).await?;
        until_ready(port).await?;
        #[expect(clippy::disallowed_methods, reason = "measures as a caller")]
        let http = reqwest::Client::new();
        let (sheet, row) = {
            let world = sheets.world();
            let sheet = world.sheet_id("Project Plan").context("no sample sheet")?;
            (sheet.to_string(), world.row_id("Project Plan", "Load test").context("no sample row")?.to_string())
        };
        Ok(Self { measured, http, base: format!("127.0.0.1:{port}"), keys, sheet, row, _sides: (sheets, azure, slack), _folder: folder })
    }

    async fn call(&self, n: usize, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<(StatusCode, Value)> {
        let request = self.http.request(method, format!("http://{}{path}", self.base)).bearer_auth(&self.keys[n % KEYS]);
        let request = request.header("X-Forwarded-For", format!("10.0.0.{}", n % KEYS));
        let answer = match body {
            Some(body) => request.json(&body).send().await?,
            None => request.send().await?,
        };
        let status = answer.status();
        anyhow::ensure!(status.is_success(), "{path}: {status}: {}", answer.text().await?);
        Ok((status, answer.json().await?))
    }

    /// Pages of a sheet that is known.
    async fn pages(&self) -> anyhow::Result<Vec<Figure>> {
        let path = format!("/api/smartsheet/{}/rows?pageSize=100", self.sheet);
        for n in 0..KEYS {
            self.call(n, reqwest::Method::GET, &path, None).await?;
        }
        let (began, before) = (Instant::now(), self.measured.cpu_ms()?);
        let callers = (0..CALLERS).map(|caller| {
            let path = &path;
            async move {
                for n in 0..REQUESTS / CALLERS {
                    self.call(n * CALLERS + caller, reqwest::Method::GET, path, None).await?;
                }
                anyhow::Ok(())
            }
        });
        futures_util::future::try_join_all(callers).await?;
        let (took, cpu_ms) = (began.elapsed(), self.measured.cpu_ms()? - before);
        Ok(vec![
            Figure::new(
                "page of 42 rows over the API, callers on the same cores",
                REQUESTS as f64 / took.as_secs_f64(),
                "requests/s",
                None,
            ),
            Figure::new("the same: CPU of a request", cpu_ms * 1e3 / REQUESTS as f64, "us", None),
        ])
    }

    async fn sockets(&self) -> anyhow::Result<Vec<Figure>> {
        // One connection, so that reading the sheet anew is not counted among the deliveries.
        let alone_ms = self.change_all(&mut [self.socket(0).await?]).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let idle_mb = self.measured.memory_mb("VmRSS")?;
        let mut sockets = Vec::with_capacity(SOCKETS);
        for n in 0..SOCKETS {
            sockets.push(self.socket(n).await?);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let memory_mb = self.measured.memory_mb("VmRSS")? - idle_mb;
        let together_ms = self.change_all(&mut sockets).await?;
        let delivery_us = (together_ms - alone_ms).max(0.0) * 1e3 / (CHANGES * (SOCKETS - 1)) as f64;
        Ok(vec![
            Figure::new("1,000 live connections: memory above idle", memory_mb, "MB", 12.0),
            Figure::new("a change told to 1,000 connections: CPU of a delivery", delivery_us, "us", 15.0),
        ])
    }

    /// Sockets that say little, bodies that are too large: what they cost beside what was there before.
    async fn abuse(&self) -> anyhow::Result<Figure> {
        self.measured.forget_peak()?;
        let before_mb = self.measured.memory_mb("VmRSS")?;
        let mut held = Vec::with_capacity(DAWDLERS);
        for _ in 0..DAWDLERS {
            let mut socket = TcpStream::connect(&self.base).await?;
            socket.write_all(b"POST /api/webhooks/slack HTTP/1.1\r\nHost: x\r\nX-Slow: ").await?;
            held.push(socket);
        }
        for length in [32_u64 << 20, 1 << 30] {
            for _ in 0..20 {
                let mut socket = TcpStream::connect(&self.base).await?;
                let head = format!("POST /api/webhooks/slack HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
                socket.write_all(head.as_bytes()).await?;
                let mut answer = [0; 64];
                let n = tokio::time::timeout(Duration::from_secs(10), socket.read(&mut answer)).await??;
                anyhow::ensure!(answer[..n].starts_with(b"HTTP/1.1 413"), "a large body was taken");
            }
        }
        let path = "/api/webhooks/smartsheet";
        for body in ["[".repeat(900_000), "null".into(), "[]".into(), "\u{feff}{}".into()] {
            let status = self.http.post(format!("http://{}{path}", self.base)).body(body).send().await?.status();
            anyhow::ensure!(status.is_client_error(), "a body without sense was answered {status}");
        }
        let memory_mb = self.measured.memory_mb("VmHWM")? - before_mb;
        Ok(Figure::new("200 sockets that dawdle, bodies of 32 MB and 1 GB, deep JSON: memory at most", memory_mb, "MB", 5.0))
    }

    /// A connection that watches the sheet.
    async fn socket(&self, n: usize) -> anyhow::Result<WebSocketStream<MaybeTlsStream<TcpStream>>> {
        let (_, ticket) = self.call(n, reqwest::Method::POST, "/api/ws-ticket", Some(json!({}))).await?;
        let url = format!("ws://{}/ws?ticket={}", self.base, ticket["ticket"].as_str().unwrap_or_default());
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
        let wanted = json!({ "type": "subscribe", "topic": format!("sheet:{}", self.sheet) });
        futures_util::SinkExt::send(&mut socket, Message::Text(wanted.to_string().into())).await?;
        while until_text(&mut socket).await?["type"] != "subscribed" {}
        Ok(socket)
    }

    /// Changes a cell several times, each time until every connection knows; returns the CPU time of the server.
    async fn change_all(&self, sockets: &mut [WebSocketStream<MaybeTlsStream<TcpStream>>]) -> anyhow::Result<f64> {
        let path = format!("/api/smartsheet/{}/rows/{}", self.sheet, self.row);
        let before = self.measured.cpu_ms()?;
        for n in 0..CHANGES {
            let status = if n % 2 == 0 { "Complete" } else { "Blocked" };
            self.call(n, reqwest::Method::PATCH, &path, Some(json!({ "cells": { "Status": status } }))).await?;
            for socket in sockets.iter_mut() {
                while until_text(socket).await?["type"] != "sheet_update" {}
            }
        }
        Ok(self.measured.cpu_ms()? - before)
    }
}

async fn until_text(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> anyhow::Result<Value> {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.context("nothing was told")?;
        if let Message::Text(text) = message.context("the connection ended")?? {
            return Ok(serde_json::from_str(&text)?);
        }
    }
}
