//! Telegram's HTML: which tags it takes, and what people read.

/// Tags of ordinary messages.
const TAGS: [&str; 13] = ["b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "a", "blockquote"];
/// Tags that rich messages have beside them.
const RICH_TAGS: [&str; 16] = ["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "table", "tr", "th", "td", "details", "summary"];

/// What a message keeps of addresses, at most.
pub(super) const MAX_ADDRESS_BYTES: usize = 9_500;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The words.
    pub text: String,
    /// Names behind an '@' that would be called.
    pub calls: Vec<String>,
    /// Blocks of a rich message.
    pub blocks: usize,
    /// The most cells of a row.
    pub columns: usize,
}

/// What is wrong with markup, or whom it would call; `None` when Telegram would take it.
pub fn fault(html: &str, rich: bool) -> Option<String> {
    let read = match read(html, rich) {
        Ok(read) => read,
        Err(why) => return Some(why),
    };
    let units = read.text.encode_utf16().count();
    if !read.calls.is_empty() {
        return Some(format!("it calls {:?}", read.calls));
    }
    let addresses = address_bytes(html);
    if addresses > MAX_ADDRESS_BYTES {
        return Some(format!("{addresses} bytes of addresses"));
    }
    let (most, blocks) = if rich { (32_768, 500) } else { (4_096, usize::MAX) };
    if units == 0 || units > most || read.blocks > blocks || read.columns > 20 {
        return Some(format!("{units} characters, {} blocks, {} columns", read.blocks, read.columns));
    }
    None
}

/// Bytes of addresses behind words.
pub(super) fn address_bytes(html: &str) -> usize {
    html.split("href=\"").skip(1).map(|rest| rest.find('"').unwrap_or(rest.len())).sum()
}

/// Reads markup as the service does, or says what is wrong with it.
pub(super) fn read(html: &str, rich: bool) -> Result<Read, String> {
    let mut read = Read::default();
    let mut open: Vec<String> = Vec::new();
    let mut spoken = String::new();
    let mut cells = 0;
    let mut rest = html;
    while !rest.is_empty() {
        let end = rest.find('<').unwrap_or(rest.len());
        let words = entities(&rest[..end])?;
        read.text.push_str(&words);
        spoken.push_str(if open.iter().any(|t| t == "code" || t == "pre") { " " } else { &words });
        rest = &rest[end..];
        if rest.is_empty() {
            break;
        }
        let close = rest.find('>').ok_or("Unclosed start tag")?;
        let tag = &rest[1..close];
        rest = &rest[close + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop().as_deref() != Some(name) {
                return Err(format!("Unmatched end tag \"{name}\""));
            }
            match name {
                "th" | "td" => read.text.push_str(" | "),
                "p" | "li" | "tr" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table" => read.text.push('\n'),
                "pre" if rich => read.text.push('\n'),
                _ => {}
            }
            if name == "tr" {
                read.columns = read.columns.max(std::mem::take(&mut cells));
            }
            continue;
        }
        let name = tag.split([' ', '\n']).next().unwrap_or_default().to_owned();
        let known = TAGS.contains(&name.as_str()) || (rich && RICH_TAGS.contains(&name.as_str()));
        if !known {
            return Err(format!("Unsupported start tag \"{name}\""));
        }
        if name == "a" && !tag.contains("href=\"") {
            return Err("a link without an address".into());
        }
        cells += usize::from(name == "td" || name == "th");
        read.blocks += usize::from(matches!(name.as_str(), "p" | "li" | "tr" | "table" | "pre" | "ul" | "h4"));
        open.push(name);
    }
    if let Some(name) = open.pop() {
        return Err(format!("Can't find end tag corresponding to start tag \"{name}\""));
    }
    read.text = read.text.replace(" | \n", "\n").trim_end().to_owned();
    read.calls = if rich { Vec::new() } else { called(&spoken) };
    Ok(read)
}

/// Names that the service would find in plain words.
pub(super) fn called(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let name: String = text[at + c.len_utf8()..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if c == '@' && !before.is_alphanumeric() && name.len() >= 4 && name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            found.push(name);
        }
        before = c;
    }
    found
}

fn entities(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&'), ("&quot;", '"')];
        let (entity, c) = known.into_iter().find(|(e, _)| rest.starts_with(e)).unwrap_or(("&", '&'));
        out.push(c);
        rest = &rest[entity.len()..];
    }
    out.push_str(rest);
    if out.contains('\0') { Err("Text must be encoded in UTF-8".into()) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_read_as_the_service_reads_it() {
        let read =
            read("<b>4 tasks</b> &lt; <a href=\"https://x.test\">5</a> @somebody <code>@nobody_</code>", false).expect("good markup");
        assert_eq!((read.text.as_str(), read.calls), ("4 tasks < 5 @somebody @nobody_", vec!["somebody".to_owned()]));
        for bad in ["<b>x", "x</b>", "<table></table>", "<a>x</a>", "<b", "<b><i>x</b></i>"] {
            assert!(super::read(bad, false).is_err(), "{bad}");
        }
    }
}
