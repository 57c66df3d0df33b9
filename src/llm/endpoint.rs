//! Where the model is: Azure's dated and current URL shapes, or a plain OpenAI-compatible server.

use super::login::Login;
use async_openai::config::Config;
use reqwest::header::HeaderMap;
use secrecy::SecretString;

/// The address of one deployment and how to log in.
#[derive(Clone, Debug)]
pub struct Endpoint {
    base: String,
    query: Vec<(String, String)>,
    /// Where the Responses API is, which has no deployment in its path.
    responses: String,
    /// How to log in.
    pub login: Login,
    headers: HeaderMap,
    /// Name of the deployment or model; sent in the body.
    pub model: String,
    /// What to call it before people.
    pub label: String,
    kind: Kind,
}

/// Who answers at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Dated,
    Current,
    Compatible,
}

impl Endpoint {
    /// The host that is asked.
    pub fn host(&self) -> Option<String> {
        url::Url::parse(&self.base).ok()?.host_str().map(str::to_owned)
    }

    /// A deployment of Azure OpenAI. People paste the endpoint in many forms; all of them work.
    /// The API version `v1` or a base that ends in `/openai/v1` means the current URL shape.
    pub fn azure(base: &str, version: &str, deployment: &str, login: Login) -> Self {
        let current = version == "v1" || base.trim_end_matches('/').ends_with("/openai/v1");
        let host = before_openai(base);
        let v1 = format!("{host}/openai/v1");
        let (kind, base, query) = if current {
            (Kind::Current, v1.clone(), Vec::new())
        } else {
            (Kind::Dated, format!("{host}/openai/deployments/{deployment}"), vec![("api-version".into(), version.into())])
        };
        let label = format!("Azure OpenAI deployment {deployment}");
        Self { base, query, responses: v1, login, headers: HeaderMap::new(), model: deployment.into(), label, kind }
    }

    /// An OpenAI-compatible server, such as Ollama at `http://127.0.0.1:11434/v1`.
    pub fn compatible(base: &str, model: &str, key: SecretString) -> Self {
        let base = base.trim_end_matches('/').trim_end_matches("/chat/completions").to_owned();
        Self {
            responses: base.clone(),
            base,
            query: Vec::new(),
            login: Login::Bearer(key),
            headers: HeaderMap::new(),
            model: model.into(),
            label: format!("model {model}"),
            kind: Kind::Compatible,
        }
    }

    /// The same, with headers that a gateway in front asks for.
    #[must_use]
    pub fn with_headers(self, headers: HeaderMap) -> Self {
        Self { headers, ..self }
    }

    /// The same deployment, asked by the Responses API.
    pub(super) fn for_responses(&self) -> Self {
        Self { base: self.responses.clone(), query: Vec::new(), ..self.clone() }
    }

    /// Whether it is likely to have a Responses API.
    pub(super) fn is_azure(&self) -> bool {
        self.kind != Kind::Compatible
    }

    /// Whether it knows `prompt_cache_key`, which dated versions of the API do not.
    pub(super) fn is_current_azure(&self) -> bool {
        self.kind == Kind::Current
    }

    /// What it is told apart by, without a secret.
    pub(super) fn key(&self) -> String {
        let version: String = self.query.iter().map(|(_, version)| format!(" {version}")).collect();
        format!("{} {}{version}", self.base, self.model)
    }
}

impl Config for Endpoint {
    /// Whoever sends a request logs it in: a token may have to be fetched first.
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        self.query.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()
    }

    fn api_base(&self) -> &str {
        &self.base
    }

    fn api_key(&self) -> &SecretString {
        match &self.login {
            Login::Key(secret) | Login::Bearer(secret) => secret,
            Login::Entra(_) => &NO_KEY,
        }
    }
}

/// An address without the path of the API, which begins with the segment `openai`; hosts and gateways may be called so, too.
fn before_openai(base: &str) -> &str {
    let path = base.find("://").and_then(|at| base[at + 3..].find('/').map(|slash| at + 3 + slash)).unwrap_or(base.len());
    let cut = base[path..]
        .match_indices("/openai")
        .find(|(at, found)| matches!(base[path + at + found.len()..].chars().next(), None | Some('/')));
    cut.map_or(base, |(at, _)| &base[..path + at]).trim_end_matches('/')
}

/// What stands for a key where tokens are fetched.
static NO_KEY: std::sync::LazyLock<SecretString> = std::sync::LazyLock::new(SecretString::default);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_endpoint_leads_to_the_same_url() {
        let url = |base: &str, version: &str| {
            let endpoint = Endpoint::azure(base, version, "gpt", Login::Key(SecretString::from("k")));
            format!(
                "{}{}",
                endpoint.url("/chat/completions"),
                endpoint.query().iter().map(|(k, v)| format!("?{k}={v}")).collect::<String>()
            )
        };
        let dated = "https://r.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21";
        for base in [
            "https://r.openai.azure.com",
            "https://r.openai.azure.com/",
            "https://r.openai.azure.com/openai",
            "https://r.openai.azure.com/openai/deployments/x/chat/completions",
        ] {
            assert_eq!(url(base, "2024-10-21"), dated);
        }
        for (base, version) in [("https://r.openai.azure.com/openai/v1/", "2024-10-21"), ("https://r.openai.azure.com", "v1")] {
            assert_eq!(url(base, version), "https://r.openai.azure.com/openai/v1/chat/completions");
        }
        assert_eq!(url("https://openai-prod.openai.azure.com/", "v1"), "https://openai-prod.openai.azure.com/openai/v1/chat/completions");
        assert_eq!(url("https://gw.test/openai-prod/openai", "v1"), "https://gw.test/openai-prod/openai/v1/chat/completions");
        let dated = Endpoint::azure("https://r.openai.azure.com", "2024-10-21", "gpt", Login::Key("k".into())).for_responses();
        assert_eq!((dated.url("/responses"), dated.query().len()), ("https://r.openai.azure.com/openai/v1/responses".into(), 0));
    }
}
