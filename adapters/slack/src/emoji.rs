//! Emoji as Slack writes them in texts (`:tada:`), as what people typed.

use emojis::SkinTone;
use serde_json::Value;

/// The same text with emoji for their names. A block of the message tells the code points of its emoji; the rest is known by
/// the names that most of the world uses, which Slack shares but for a few. What is no name of an emoji stays as it was typed.
pub(crate) fn in_text(text: &str, blocks: &Value) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut in_code) = (text, false);
    while let Some(at) = rest.find([':', '`']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        in_code ^= rest.starts_with('`');
        let stands_alone = !out.ends_with(|c: char| c.is_alphanumeric());
        match shortcode(rest).filter(|_| stands_alone && !in_code) {
            Some((name, tone, behind)) if emoji(name, tone, blocks).is_some() => {
                out.push_str(&emoji(name, tone, blocks).unwrap_or_default());
                rest = behind;
            }
            _ => {
                out.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The name that a text begins with, the tone of skin behind it, and what follows.
fn shortcode(text: &str) -> Option<(&str, Option<SkinTone>, &str)> {
    let (name, rest) = text.strip_prefix(':')?.split_once(':')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-+'".contains(c));
    let (tone, rest) = match rest.strip_prefix(":skin-tone-").and_then(|rest| rest.split_once(':')) {
        Some((tone, behind)) => (Some(skin_tone(tone)?), behind),
        None => (None, rest),
    };
    (is_name && !rest.starts_with(|c: char| c.is_alphanumeric())).then_some((name, tone, rest))
}

/// Slack counts the tones of skin as Fitzpatrick did, beginning at 2.
fn skin_tone(tone: &str) -> Option<SkinTone> {
    Some(match tone {
        "2" => SkinTone::Light,
        "3" => SkinTone::MediumLight,
        "4" => SkinTone::Medium,
        "5" => SkinTone::MediumDark,
        "6" => SkinTone::Dark,
        _ => return None,
    })
}

fn emoji(name: &str, tone: Option<SkinTone>, blocks: &Value) -> Option<String> {
    if let Some(told) = told_by(blocks, name).filter(|_| tone.is_none()) {
        return Some(told);
    }
    // “large_green_circle” is “green_circle” elsewhere.
    let known = emojis::get_by_shortcode(name).or_else(|| emojis::get_by_shortcode(name.strip_prefix("large_")?))?;
    Some(tone.and_then(|tone| known.with_skin_tone(tone)).unwrap_or(known).as_str().to_owned())
}

/// The emoji of this name in the message's blocks: `{"type": "emoji", "name": "tada", "unicode": "1f389"}`.
fn told_by(blocks: &Value, name: &str) -> Option<String> {
    match blocks {
        Value::Array(items) => items.iter().find_map(|item| told_by(item, name)),
        Value::Object(block) if block.get("type").is_some_and(|kind| kind == "emoji") => {
            let points = block.get("unicode").filter(|_| block.get("name").is_some_and(|n| n == name))?.as_str()?;
            points.split('-').map(|point| char::from_u32(u32::from_str_radix(point, 16).ok()?)).collect()
        }
        Value::Object(block) => block.get("elements").and_then(|elements| told_by(elements, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_emoji_become_emoji_and_nothing_else_does() {
        for (sent, typed) in [
            ("ship it :tada: and Status to :white_check_mark: Done", "ship it 🎉 and Status to ✅ Done"),
            (":+1::skin-tone-3:", "👍🏼"),
            ("Priority is :red_circle: High, not :large_yellow_circle: Medium", "Priority is 🔴 High, not 🟡 Medium"),
            ("from 10:30:45 to 1:100:3", "from 10:30:45 to 1:100:3"),
            ("`:tada:` is a name, :not_a_name: and a : b too", "`:tada:` is a name, :not_a_name: and a : b too"),
            (":tada::tada:", "🎉🎉"),
            ("C:\\x and https://x.test:8080/a:b", "C:\\x and https://x.test:8080/a:b"),
            (":", ":"),
            ("", ""),
        ] {
            assert_eq!(in_text(sent, &Value::Null), typed, "{sent}");
        }
    }

    #[test]
    fn blocks_tell_what_no_list_knows() {
        let blocks = json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
            { "type": "text", "text": "so " }, { "type": "emoji", "name": "brand_new_face", "unicode": "1fae9-fe0f" }, { "type": "emoji", "name": "acme" },
        ] }] }]);
        assert_eq!(in_text("so :brand_new_face: :acme:", &blocks), "so \u{1fae9}\u{fe0f} :acme:");
    }
}
