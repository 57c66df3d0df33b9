//! Kinds of failure: what people are told, what may work later, and what is logged under a reference number.

use std::fmt;

/// A sentence with a next step, written for the thread. It is told, never logged as a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserError {
    /// The sentence.
    pub words: String,
    /// What can be meant, where something named fits several.
    pub choices: Vec<Choice>,
}

/// One of several things that a person can mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What it is called.
    pub label: String,
    /// What to say to mean it and nothing else.
    pub says: String,
}

/// Why something did not work out.
#[derive(Debug)]
pub enum Trouble {
    /// Told to the person as it is.
    Told(UserError),
    /// Told to the person as it is; the same may work in a while, so work that can wait tries again.
    Later(UserError),
    /// Logged once with its chain; the person gets one neutral sentence with a reference number.
    Logged(anyhow::Error),
}

/// The result of most things that the bot does.
pub type Result<T, E = Trouble> = std::result::Result<T, E>;

/// Why a request did not come through, with its deepest cause (a name that is not known, a connection that is refused) and without the
/// address, which may hold secrets.
pub fn of_request(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let (whole, deepest) = (error.to_string(), cause.to_string());
    if whole == deepest { whole } else { format!("{whole}: {deepest}") }
}

/// A failure that is told with these words.
pub fn told(words: impl Into<String>) -> Trouble {
    Trouble::Told(UserError::new(words))
}

impl UserError {
    /// A sentence without anything to choose from.
    pub fn new(words: impl Into<String>) -> Self {
        Self { words: words.into(), choices: Vec::new() }
    }
}

impl Trouble {
    /// Short for logs.
    pub fn reference() -> String {
        uuid::Uuid::new_v4().simple().to_string()[..8].to_owned()
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(error) | Self::Later(error) => f.write_str(&error.words),
            Self::Logged(error) => write!(f, "{error:#}"),
        }
    }
}

impl From<UserError> for Trouble {
    fn from(error: UserError) -> Self {
        Self::Told(error)
    }
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self::Logged(error)
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Logged(anyhow::Error::new(error).context("the database did not do what was asked"))
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(error: serde_json::Error) -> Self {
        Self::Logged(anyhow::Error::new(error).context("stored data cannot be read"))
    }
}
