//! Reads single settings: text, numbers, choices, URLs, secrets; notes what is wrong instead of stopping.

use super::{Fault, VARIABLES};
use ipnet::IpNet;
use secrecy::SecretString;
use std::net::IpAddr;
use std::str::FromStr;
use url::Url;

/// Settings by name, and what is wrong with them so far.
pub(super) struct Reader<'a> {
    /// Where they come from; the empty string counts as unset.
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

impl Reader<'_> {
    pub fn fault(&mut self, variable: &str, problem: &str) {
        self.faults.push(Fault { variable: variable.into(), problem: problem.into() });
    }

    pub fn text(&self, name: &str) -> Option<String> {
        debug_assert!(VARIABLES.iter().any(|v| v.name == name), "{name} is not listed in VARIABLES");
        (self.lookup)(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
    }

    pub fn text_or_default(&self, name: &str) -> String {
        let default = VARIABLES.iter().find(|v| v.name == name).map_or("", |v| v.default);
        self.text(name).unwrap_or_else(|| default.to_owned())
    }

    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    pub fn parsed<T: FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        let text = self.text_or_default(name);
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.fault(name, &format!("'{text}' is not {expected}"));
        }
        parsed
    }

    pub fn number(&mut self, name: &str, min: f64, max: f64) -> f64 {
        let expected = format!("a number from {min} to {max}");
        let n: f64 = self.parsed(name, &expected).unwrap_or(min);
        if !(min..=max).contains(&n) {
            self.fault(name, &format!("'{n}' is not {expected}"));
        }
        n
    }

    pub fn choice(&mut self, name: &str, allowed: &[&str]) -> String {
        let text = self.text_or_default(name).to_lowercase();
        if !allowed.contains(&text.as_str()) {
            self.fault(name, &format!("'{text}' is not one of {}", allowed.join(", ")));
        }
        text
    }

    /// Networks, or single addresses, separated by commas.
    pub fn networks(&mut self, name: &str) -> Vec<IpNet> {
        let text = self.text(name).unwrap_or_default();
        let network = |word: &str| word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from));
        let mut all = Vec::new();
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            match network(word) {
                Some(network) if network.prefix_len() == 0 => {
                    self.fault(name, &format!("'{word}' is everybody: anybody could say where they come from; name your proxies"));
                }
                Some(network) => all.push(network),
                None => self.fault(name, &format!("'{word}' is not an address or a network, such as 10.0.0.0/8")),
            }
        }
        all
    }

    pub fn url(&mut self, name: &str) -> Option<Url> {
        let text = self.text(name)?;
        let url = Url::parse(&text).ok().filter(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
        if url.is_none() {
            self.fault(name, "not a URL that begins with https:// (or http:// for a local server)");
        }
        url
    }
}

/// What is wrong with `.env`, without what stands in it.
pub(super) fn describe_env_error(error: &dotenvy::Error) -> String {
    match error {
        dotenvy::Error::LineParse(_, at) => {
            format!("a line cannot be read (at its character {at}); expected NAME=value, with quotes around values that contain spaces")
        }
        other => other.to_string(),
    }
}
