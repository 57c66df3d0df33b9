//! Where the model is: Azure's dated and current URL shapes, or a plain OpenAI-compatible server.

use async_openai::config::Config;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

/// The address of one deployment and how to log in.
#[derive(Clone, Debug)]
pub struct Endpoint {
    base: String,
    query: Vec<(String, String)>,
    key: SecretString,
    bearer: bool,
    /// Name of the deployment or model; sent in the body.
    pub model: String,
    /// What to call it before people.
    pub label: String,
}

impl Endpoint {
    /// A deployment of Azure OpenAI. People paste the endpoint in many forms; all of them work.
    /// The API version `v1` or a base that ends in `/openai/v1` means the current URL shape.
    pub fn azure(base: &str, version: &str, deployment: &str, key: SecretString, bearer: bool) -> Self {
        let current = version == "v1" || base.trim_end_matches('/').ends_with("/openai/v1");
        let host = base.split("/openai").next().unwrap_or(base).trim_end_matches('/');
        let label = format!("Azure OpenAI deployment {deployment}");
        if current {
            return Self { base: format!("{host}/openai/v1"), query: Vec::new(), key, bearer, model: deployment.into(), label };
        }
        let base = format!("{host}/openai/deployments/{deployment}");
        Self { base, query: vec![("api-version".into(), version.into())], key, bearer, model: deployment.into(), label }
    }

    /// An OpenAI-compatible server, such as Ollama at `http://127.0.0.1:11434/v1`.
    pub fn compatible(base: &str, model: &str, key: SecretString) -> Self {
        let base = base.trim_end_matches('/').trim_end_matches("/chat/completions").to_owned();
        Self { base, query: Vec::new(), key, bearer: true, model: model.into(), label: format!("model {model}") }
    }
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let key = self.key.expose_secret();
        let (name, value) = if self.bearer { (AUTHORIZATION.as_str(), format!("Bearer {key}")) } else { ("api-key", key.to_owned()) };
        if let Ok(mut value) = HeaderValue::from_str(&value) {
            value.set_sensitive(true);
            headers.insert(name.parse().unwrap_or(AUTHORIZATION), value);
        }
        headers
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
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_endpoint_leads_to_the_same_url() {
        let url = |base: &str, version: &str| {
            let endpoint = Endpoint::azure(base, version, "gpt", SecretString::from("k"), false);
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
    }
}
