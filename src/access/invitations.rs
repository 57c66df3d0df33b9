//! Codes by which people let themselves in, once.

use sha2::{Digest, Sha256};

/// Letters that cannot be taken for others.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";
const GROUPS: usize = 3;
const GROUP: usize = 4;

/// A new code, such as `k7qf-2m9p-xdh4`.
pub fn new_code() -> String {
    let random = uuid::Uuid::new_v4().into_bytes();
    let fresh = Sha256::digest([random, uuid::Uuid::new_v4().into_bytes()].concat());
    let letters: Vec<char> = fresh.iter().take(GROUPS * GROUP).map(|byte| LETTERS[usize::from(byte % 32)].into()).collect();
    letters.chunks(GROUP).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// What is kept of a code.
pub fn hash_of(code: &str) -> String {
    Sha256::digest(format!("invitation|{code}").as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// The code that a text is, if it looks like one: alone, or behind “join”.
pub fn code_in(text: &str) -> Option<String> {
    let lower = text.trim().to_ascii_lowercase();
    let code = lower.strip_prefix("join").map_or(lower.as_str(), str::trim).trim_matches('`');
    let groups: Vec<&str> = code.split('-').collect();
    let fits = |group: &&str| group.len() == GROUP && group.bytes().all(|b| LETTERS.contains(&b));
    (groups.len() == GROUPS && groups.iter().all(fits)).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_however_they_are_sent() {
        let code = new_code();
        assert_ne!(code, new_code());
        for text in [code.clone(), format!(" join {code} "), code.to_uppercase(), format!("`{code}`"), format!("Join {code}")] {
            assert_eq!(code_in(&text), Some(code.clone()), "{text}");
        }
        for text in ["join", "join the rows", "abcd-efgh", "abcd-efgh-jk1o", &format!("my code is {code}")] {
            assert_eq!(code_in(text), None, "{text}");
        }
    }
}
