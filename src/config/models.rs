//! Which deployments are asked, and how: `AZURE_OPENAI_*`, `OPENAI_*`, `MODEL_*`.

use super::reader::Reader;
use crate::llm::{Endpoint, Entra, Identity, Login, Metadata, ModelSettings, Prices};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const BASE: &str = "AZURE_OPENAI_API_BASE";
const KEY: &str = "AZURE_OPENAI_API_KEY";
const DEPLOYMENT: &str = "AZURE_OPENAI_DEPLOYMENT";
const FALLBACKS: &str = "AZURE_OPENAI_FALLBACKS";

/// The deployments in the order in which they are asked.
pub(super) fn models(r: &mut Reader<'_>) -> Vec<Endpoint> {
    let headers = headers(r);
    let endpoints = match r.url("OPENAI_BASE_URL") {
        Some(base) => compatible(r, &base).into_iter().collect(),
        None => azure(r),
    };
    endpoints.into_iter().map(|endpoint| endpoint.with_headers(headers.clone())).collect()
}

fn compatible(r: &mut Reader<'_>, base: &Url) -> Option<Endpoint> {
    if [BASE, KEY, DEPLOYMENT].into_iter().any(|name| r.text(name).is_some()) {
        r.fault("OPENAI_BASE_URL", "set either this or AZURE_OPENAI_*, not both");
    }
    let Some(name) = r.text("OPENAI_MODEL") else {
        r.fault("OPENAI_MODEL", "required with OPENAI_BASE_URL: the name of the model to ask there");
        return None;
    };
    Some(Endpoint::compatible(base.as_str(), &name, r.secret("OPENAI_API_KEY").unwrap_or_default()))
}

fn azure(r: &mut Reader<'_>) -> Vec<Endpoint> {
    let wanted = if login_kind(r) == "entra" { vec![BASE, DEPLOYMENT] } else { vec![BASE, KEY, DEPLOYMENT] };
    let given: Vec<&str> = [BASE, KEY, DEPLOYMENT].into_iter().filter(|n| r.text(n).is_some()).collect();
    if given.is_empty() {
        return Vec::new();
    }
    for name in wanted.into_iter().filter(|n| !given.contains(n)) {
        r.fault(name, &format!("required together with {}", given.join(" and ")));
    }
    let Some((base, deployment, login)) = azure_parts(r) else { return Vec::new() };
    let version = r.text_or_default("AZURE_OPENAI_API_VERSION");
    let mut first = Endpoint::azure(base.as_str(), &version, &deployment, login.clone());
    if let Some(model) = r.text("AZURE_OPENAI_MODEL") {
        first.label = format!("{} ({model})", first.label);
    }
    let other_key = r.secret("AZURE_OPENAI_FALLBACK_API_KEY");
    let mut all = vec![first];
    for word in r.text(FALLBACKS).unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let Some((elsewhere, deployment)) = word.split_once("://").map(|_| word.rsplit_once('/')).unwrap_or(Some(("", word))) else {
            r.fault(FALLBACKS, &format!("'{word}' is neither a deployment nor https://host/deployment"));
            continue;
        };
        if elsewhere.is_empty() {
            all.push(Endpoint::azure(base.as_str(), &version, deployment, login.clone()));
            continue;
        }
        let Some(host) = Url::parse(elsewhere).ok().filter(Url::has_host).filter(|_| !deployment.is_empty()) else {
            r.fault(FALLBACKS, &format!("'{word}' is neither a deployment nor https://host/deployment"));
            continue;
        };
        if other_key.is_none() && !matches!(login, Login::Entra(_)) && base.host() != host.host() {
            r.fault("AZURE_OPENAI_FALLBACK_API_KEY", "required with fallbacks at another host: the key of the first is not sent there");
        }
        let login = match (&login, &other_key) {
            (Login::Entra(_), _) | (_, None) => login.clone(),
            (Login::Key(_), Some(key)) => Login::Key(key.clone()),
            (Login::Bearer(_), Some(key)) => Login::Bearer(key.clone()),
        };
        let mut other = Endpoint::azure(host.as_str(), &version, deployment, login);
        other.label = format!("{} at {}", other.label, host.host_str().unwrap_or_default());
        all.push(other);
    }
    all
}

fn azure_parts(r: &mut Reader<'_>) -> Option<(Url, String, Login)> {
    let login = login(r);
    Some((r.url(BASE)?, r.text(DEPLOYMENT)?, login?))
}

fn login_kind(r: &Reader<'_>) -> String {
    r.text_or_default("AZURE_OPENAI_AUTH").to_lowercase()
}

/// How to log in at Azure.
fn login(r: &mut Reader<'_>) -> Option<Login> {
    match r.choice("AZURE_OPENAI_AUTH", &["api-key", "bearer", "entra"]).as_str() {
        "entra" => Some(Login::Entra(Arc::new(entra(r)?))),
        "bearer" => r.secret(KEY).map(Login::Bearer),
        _ => r.secret(KEY).map(Login::Key),
    }
}

fn entra(r: &mut Reader<'_>) -> Option<Entra> {
    let authority = r.parsed("AZURE_AUTHORITY_HOST", "a URL such as https://login.microsoftonline.com")?;
    let (tenant, client) = (r.text("AZURE_TENANT_ID"), r.text("AZURE_CLIENT_ID"));
    let (secret, file) = (r.secret("AZURE_CLIENT_SECRET"), r.text("AZURE_FEDERATED_TOKEN_FILE"));
    let identity = match (secret, file) {
        (None, None) => Identity::Machine { client, at: metadata(r)? },
        (secret, file) => {
            for (name, value) in [("AZURE_TENANT_ID", &tenant), ("AZURE_CLIENT_ID", &client)] {
                if value.is_none() {
                    r.fault(name, "required with AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE: who asks Entra ID for tokens");
                }
            }
            let (tenant, client) = (tenant?, client?);
            match (secret, file) {
                (Some(secret), _) => Identity::Secret { tenant, client, secret },
                (None, file) => Identity::Workload { tenant, client, file: PathBuf::from(file?) },
            }
        }
    };
    Some(Entra::new(identity, authority, r.text_or_default("AZURE_OPENAI_SCOPE")))
}

fn metadata(r: &mut Reader<'_>) -> Option<Metadata> {
    match (r.url("IDENTITY_ENDPOINT"), r.secret("IDENTITY_HEADER")) {
        (Some(url), Some(header)) => Some(Metadata::Endpoint(url, header)),
        _ => Some(Metadata::Imds(r.parsed("AZURE_POD_IDENTITY_AUTHORITY_HOST", "a URL such as http://169.254.169.254")?)),
    }
}

/// A deployment that only continues texts.
pub(super) fn text_model(r: &mut Reader<'_>) -> Option<Endpoint> {
    const NAME: &str = "AZURE_OPENAI_COMPLETIONS_DEPLOYMENT";
    let deployment = r.text(NAME)?;
    // What is wrong with them was said where the other deployment was read.
    let mut quiet = Reader { lookup: r.lookup, faults: Vec::new() };
    let (base, login) = (quiet.url(BASE), login(&mut quiet));
    let (Some(base), Some(login)) = (base, login) else {
        r.fault(NAME, "is a deployment of AZURE_OPENAI_API_BASE; set that and how to log in as well");
        return None;
    };
    let endpoint = Endpoint::azure(base.as_str(), &r.text_or_default("AZURE_OPENAI_API_VERSION"), &deployment, login);
    Some(endpoint.with_headers(headers(&mut quiet)))
}

/// Headers that a gateway asks for: `Name: value`, separated by semicolons.
fn headers(r: &mut Reader<'_>) -> HeaderMap {
    const NAME: &str = "MODEL_HEADERS";
    let mut headers = HeaderMap::new();
    let given = r.secret(NAME).unwrap_or_default();
    for word in given.expose_secret().split(';').map(str::trim).filter(|word| !word.is_empty()) {
        let pair = word
            .split_once(':')
            .and_then(|(name, value)| Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?)));
        match pair {
            Some((name, mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            // What stands there may be a secret.
            None => r.fault(NAME, "expected Name: value, several of them separated by semicolons"),
        }
    }
    headers
}

/// How the model is asked.
pub(super) fn settings(r: &mut Reader<'_>) -> ModelSettings {
    let mut price = |name: &str| r.text(name).map(|_| r.number(name, 0.0, 1_000.0));
    let prices = (price("MODEL_PRICE_PER_1K_INPUT"), price("MODEL_PRICE_PER_1K_OUTPUT"));
    let cached = price("MODEL_PRICE_PER_1K_CACHED_INPUT");
    if prices.0.is_some() != prices.1.is_some() {
        r.fault("MODEL_PRICE_PER_1K_INPUT", "set both prices or none");
    }
    ModelSettings {
        temperature: r.number("MODEL_TEMPERATURE", 0.0, 2.0),
        max_tokens: r.number("MODEL_MAX_TOKENS", 16.0, 200_000.0) as u32,
        top_p: r.number("MODEL_TOP_P", 0.0, 1.0),
        frequency_penalty: r.number("MODEL_FREQUENCY_PENALTY", -2.0, 2.0),
        presence_penalty: r.number("MODEL_PRESENCE_PENALTY", -2.0, 2.0),
        prices: prices.0.zip(prices.1).map(|(read, written)| Prices { read, cached: cached.unwrap_or(read), written }),
        authorities: authorities(r),
        timeout: Duration::from_secs_f64(r.number("MODEL_TIMEOUT_SECONDS", 1.0, 3_600.0)),
        ..ModelSettings::default()
    }
}

/// Certificates of authorities in a file.
fn authorities(r: &mut Reader<'_>) -> Vec<reqwest::Certificate> {
    const NAME: &str = "MODEL_CA_FILE";
    let Some(path) = r.text(NAME) else { return Vec::new() };
    let read = std::fs::read(&path).map_err(|e| format!("'{path}' cannot be read: {e}"));
    let parsed = read.and_then(|pem| {
        let all = reqwest::Certificate::from_pem_bundle(&pem).ok().filter(|all| !all.is_empty());
        all.ok_or_else(|| format!("'{path}' holds no certificate in PEM form"))
    });
    parsed.unwrap_or_else(|problem| {
        r.fault(NAME, &problem);
        Vec::new()
    })
}
