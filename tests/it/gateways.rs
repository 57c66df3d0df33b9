//! A gateway in front of the model: headers of its own, a certificate of the company's authority, and what it says of who answers.

use crate::command_line::run;
use crate::smartsheet_api::http;
use crate::world::folder;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use sandbox::azure::{self, Azure};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What the gateway asks for.
const KEY: (&str, &str) = ("ocp-apim-subscription-key", "canary-of-the-gateway");
const TEAM: (&str, &str) = ("x-team", "planning");

/// Passes on what carries its headers, and names the deployment that answers.
async fn pass_on(State(to): State<Arc<str>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if [KEY, TEAM].iter().any(|(name, value)| headers.get(*name).is_none_or(|given| given != value)) {
        return (StatusCode::UNAUTHORIZED, "Access denied due to missing subscription key.").into_response();
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let key = headers.get("api-key").cloned().unwrap_or_else(|| "none".parse().unwrap());
    let sent = http().post(format!("{to}{path}")).header("api-key", key).header("content-type", "application/json").body(body);
    let answer = sent.send().await.unwrap();
    let (status, kind) = (answer.status(), answer.headers()["content-type"].clone());
    let named = [("content-type", kind), ("x-ms-deployment-name", "gpt-that-answers".parse().unwrap())];
    (status, named, answer.bytes().await.unwrap()).into_response()
}

/// A gateway in front of this model, whose certificate an authority of its own has signed: where it listens, and the authority's certificate is kept.
async fn gateway(model: &Azure, folder: &Path) -> SocketAddr {
    let router = Router::new().fallback(pass_on).with_state(Arc::from(model.base_url()));
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = plain.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(plain, router).await });
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let signer = rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("authority.pem"), signer.pem()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &signer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (accepted, acceptor) = (listener.accept().await.unwrap().0, acceptor.clone());
            tokio::spawn(async move {
                let mut outside = acceptor.accept(accepted).await?;
                tokio::io::copy_bidirectional(&mut outside, &mut TcpStream::connect(behind).await?).await
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_is_asked_with_its_headers_and_trusted_by_its_authority() {
    crate::world::install_tls();
    let (folder, model) = (folder(), Azure::start(azure::Options::default()).await.unwrap());
    let address = gateway(&model, &folder.0).await;
    let authority = folder.0.join("authority.pem").display().to_string();
    let headers = format!("{}: {}; {}: {}", KEY.0, KEY.1, TEAM.0, TEAM.1);
    // What is set beside the address, and what `check` says of the model.
    let path = folder.0.clone();
    let asked = async |more: Vec<(&'static str, String)>| {
        let mut settings = vec![
            ("AZURE_OPENAI_API_BASE", format!("https://{address}")),
            ("AZURE_OPENAI_API_KEY", azure::API_KEY.to_owned()),
            ("AZURE_OPENAI_DEPLOYMENT", azure::DEPLOYMENT.to_owned()),
            ("RUST_LOG", "info".to_owned()),
        ];
        settings.extend(more);
        let path = path.clone();
        let done = tokio::task::spawn_blocking(move || run(&["check"], &settings, &path, "")).await.unwrap();
        let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(!said.concat().contains(KEY.1), "the gateway's key is told: {said:?}");
        let line = said[0].lines().find(|line| line.contains(" model ")).unwrap_or_else(|| panic!("nothing of the model in {said:?}"));
        (line.to_owned(), said[1].clone())
    };
    let (both, only_headers) =
        (vec![("MODEL_HEADERS", headers.clone()), ("MODEL_CA_FILE", authority.clone())], vec![("MODEL_HEADERS", headers)]);
    let (line, logged) = asked(both).await;
    assert!(line.starts_with("ok"), "{line}\n{logged}");
    let named = logged.lines().find(|line| line.contains("the model answers from here")).unwrap_or_default();
    assert!(named.contains("gpt-that-answers"), "{logged}");
    assert!(!model.requests().is_empty());
    let before = model.requests().len();
    for less in [only_headers, vec![("MODEL_CA_FILE", authority)]] {
        let (line, _) = asked(less).await;
        assert!(line.starts_with("FAILS"), "{line}");
    }
    assert_eq!(model.requests().len(), before, "who is not known, or not trusted, asks nothing");
}
