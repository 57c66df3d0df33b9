//! The keys of the stand-in, and tokens signed with them: good ones, and those of forgers.

use super::{APP_ID, Service};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Made for the stand-in; they protect nothing.
const ONE: &[u8] = include_bytes!("key_one.der");
const TWO: &[u8] = include_bytes!("key_two.der");
/// Who signs in the public cloud.
pub(super) const ISSUER: &str = "https://api.botframework.com";

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// Nothing.
    None,
    /// There is no token at all.
    Missing,
    /// It is for another bot.
    Audience,
    /// Somebody else made it.
    Issuer,
    /// It is for another service.
    Service,
    /// It ended six minutes ago.
    Expired,
    /// It ended four minutes ago, which clocks may differ by.
    JustExpired,
    /// It names the bot as an API; that is allowed.
    ApiAudience,
    /// Its key may not sign for Teams.
    Unendorsed,
    /// Its key is not known.
    UnknownKey,
    /// It has an extension that whoever takes it has to know.
    Critical,
    /// It is not signed.
    Unsigned,
    /// It is signed with a shared secret.
    Shared,
    /// It was changed after it was signed.
    Tampered,
}

#[expect(clippy::disallowed_methods, reason = "tokens carry the wall clock")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// A token for the service at this address.
pub(super) fn token(service_url: &str, issuer: &str, new_keys: bool, forgery: Forgery) -> Option<String> {
    let (kid, key) = match forgery {
        Forgery::Missing => return None,
        Forgery::Unendorsed => ("two", TWO),
        Forgery::UnknownKey => ("three", TWO),
        _ if new_keys => ("four", TWO),
        _ => ("one", ONE),
    };
    let audience = match forgery {
        Forgery::Audience => "99999999-0000-0000-0000-000000000000".to_owned(),
        Forgery::ApiAudience => format!("api://botid-{APP_ID}"),
        _ => APP_ID.to_owned(),
    };
    let expires = match forgery {
        Forgery::Expired => now() - 360,
        Forgery::JustExpired => now() - 240,
        _ => now() + 3_600,
    };
    let claims = json!({
        "iss": if forgery == Forgery::Issuer { "https://evil.example" } else { issuer }, "aud": audience, "exp": expires, "nbf": expires - 3_600,
        "serviceurl": if forgery == Forgery::Service { "https://evil.example/" } else { service_url },
    });
    let algorithm = match forgery {
        Forgery::Unsigned => "none",
        Forgery::Shared => "HS256",
        _ => "RS256",
    };
    let mut header = json!({ "typ": "JWT", "alg": algorithm, "kid": kid });
    if forgery == Forgery::Critical {
        (header["crit"], header["novelty"]) = (json!(["novelty"]), json!(true));
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(&claims));
    let signed = match forgery {
        Forgery::Unsigned => String::new(),
        _ => URL_SAFE_NO_PAD.encode(sign(key, message.as_bytes())?),
    };
    let message = match forgery {
        Forgery::Tampered => {
            format!("{}.{}", part(&header), part(&json!({ "iss": issuer, "aud": APP_ID, "exp": now() + 9_999, "serviceurl": service_url })))
        }
        _ => message,
    };
    Some(format!("{message}.{signed}"))
}

fn sign(key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let pair = RsaKeyPair::from_pkcs8(key).ok()?;
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
    Some(signature)
}

/// `GET /v1/.well-known/openidconfiguration`.
pub(super) async fn metadata(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(
        json!({ "issuer": service.options.issuer, "jwks_uri": format!("{}/v1/.well-known/keys", service.origin()), "id_token_signing_alg_values_supported": ["RS256"] }),
    )
}

/// `GET /v1/.well-known/keys`.
pub(super) async fn keys(State(service): State<Arc<Service>>) -> Result<Json<Value>, StatusCode> {
    let (hidden, new) = {
        let mut state = service.state();
        state.calls.push(("keys".into(), Value::Null));
        (state.hide_keys, state.new_keys)
    };
    if hidden {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let key = |kid: &str, key: &[u8], endorsements: &[&str]| {
        let pair = RsaKeyPair::from_pkcs8(key).ok()?;
        let part = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
        let PublicKeyComponents::<Vec<u8>> { n, e } = pair.public_key().into();
        Some(json!({ "kty": "RSA", "use": "sig", "kid": kid, "n": part(n), "e": part(e), "endorsements": endorsements }))
    };
    let keys: Vec<Value> =
        [if new { key("four", TWO, &["msteams"]) } else { key("one", ONE, &["msteams", "webchat"]) }, key("two", TWO, &["webchat"])]
            .into_iter()
            .flatten()
            .collect();
    Ok(Json(json!({ "keys": keys })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    #[test]
    fn tokens_are_signed_with_the_key_that_is_told() {
        let token = token("http://127.0.0.1:1/", ISSUER, false, Forgery::None).expect("a token");
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        let pair = RsaKeyPair::from_pkcs8(ONE).expect("a key");
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
        assert!(key.verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).expect("base64")).is_ok());
    }
}
