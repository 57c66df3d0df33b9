//! What the bot may do in a workspace: the scopes that it asks for, and those that it was given.

use crate::Slack;
use crate::web::chat_error;
use axum::body::Body;
use axum::http::Request;
use chat::ChatError;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use slack_morphism::prelude::*;

/// Every scope that the bot asks for, and what does not work without it; the manifest lists the same.
pub const SCOPES: [(&str, &str); 17] = [
    ("app_mentions:read", "mentions are not heard"),
    ("assistant:write", "nothing is suggested where people talk to the bot alone"),
    ("channels:history", "follow-ups in threads of public channels are not heard"),
    ("channels:read", "the bot goes on as if it were in a public channel that it was removed from"),
    ("groups:history", "follow-ups in threads of private channels are not heard"),
    ("groups:read", "the bot goes on as if it were in a private channel that it was removed from"),
    ("im:history", "direct messages are not heard"),
    ("im:write", "private answers fail where an ephemeral message cannot be shown"),
    ("mpim:history", "follow-ups in direct messages of several people are not heard"),
    ("chat:write", "nothing is answered"),
    ("commands", "/sheet does nothing"),
    ("files:read", "text and CSV files that people attach are not read"),
    ("files:write", "result files are not shared"),
    ("links:read", "links to Smartsheet are not seen"),
    ("links:write", "nothing is shown below links to Smartsheet"),
    ("users:read", "nobody is let in whom SLACK_ALLOWED does not name: members and guests cannot be told apart"),
    ("users:read.email", "people are found in a sheet by their names alone"),
];

/// Those that whoever installs the app may leave out; the manifest lists the same.
pub const OPTIONAL: [&str; 7] =
    ["files:read", "groups:history", "groups:read", "links:read", "links:write", "mpim:history", "users:read.email"];

/// How the bot stands in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name and the workspace.
    pub who: String,
    /// Scopes that it was not given, and what does not work therefore; `None` where Slack does not tell.
    pub missing: Option<Vec<(&'static str, &'static str)>>,
}

impl Slack {
    /// Tries the token of a workspace (any name does when there is one token), and that of Socket Mode.
    ///
    /// # Errors
    /// When Slack does not accept a token or cannot be reached.
    pub async fn standing(&self, install: &str) -> Result<Standing, ChatError> {
        let token = self.tokens.of(install).await?;
        let answer = self.client.open_session(&token).auth_test().await.map_err(chat_error)?;
        if let Some(token) = &self.app_token {
            let opened = self.client.open_session(token).apps_connections_open(&SlackApiAppsConnectionOpenRequest::new()).await;
            opened.map_err(|e| ChatError::Forbidden(format!("Socket Mode: {}", chat_error(e))))?;
        }
        let given = self.scopes(&token).await?;
        let missing = given.map(|given| SCOPES.into_iter().filter(|(scope, _)| !given.iter().any(|g| g == scope)).collect());
        Ok(Standing { who: format!("{} in workspace {}", answer.user.as_deref().unwrap_or("bot"), answer.team), missing })
    }

    /// The scopes of a token: Slack names them beside every answer, where the crate does not look.
    async fn scopes(&self, token: &SlackApiToken) -> Result<Option<Vec<String>>, ChatError> {
        let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build(self.https.clone());
        let request = Request::post(format!("{}/auth.test", self.api_base_url.as_str().trim_end_matches('/')))
            .header("authorization", format!("Bearer {}", token.token_value.value()))
            .body(Body::empty())
            .map_err(|e| ChatError::Forbidden(e.to_string()))?;
        let answer = client.request(request).await.map_err(|e| ChatError::Unreachable(e.to_string()))?;
        let scopes = answer.headers().get("x-oauth-scopes").and_then(|s| s.to_str().ok());
        Ok(scopes.map(|s| s.split(',').map(|scope| scope.trim().to_owned()).collect()))
    }
}
