//! What stands beside the words of a message: another message that it answers or forwards, and files.

use serde::{Deserialize, Serialize};

/// What a message answers, forwards or carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Beside {
    /// The message that it answers, or the part of one that it quotes.
    Answered(Quote),
    /// A message that it forwards.
    Forwarded(Quote),
    /// A file.
    File(Carried),
}

/// Words of somebody else, or of somewhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Who wrote them, where the platform tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The words.
    pub text: String,
}

/// A file that a message carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// What it is called, where it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is.
    pub media: Media,
    /// How large it is, where the platform tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// The platform's private address of the file, for [`crate::Chat::source`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// What a file is, as far as it matters to somebody who can read texts only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// Plain text, or a table as text (CSV, TSV).
    Text,
    /// A picture.
    Picture,
    /// Something to listen to.
    Sound,
    /// Something to watch.
    Video,
    /// Anything else.
    Other,
}

/// Endings of the names of files that are texts, whatever type a platform gives them.
const TEXTS: [&str; 6] = ["txt", "csv", "tsv", "md", "json", "log"];

impl Media {
    /// What a file is by its media type (`text/csv`), or by its name where the type says nothing.
    pub fn of(media_type: Option<&str>, name: Option<&str>) -> Self {
        let kind = media_type.unwrap_or_default().to_ascii_lowercase();
        let ending = name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
        match kind.split(['/', ';']).next().unwrap_or_default() {
            "image" => Self::Picture,
            "audio" => Self::Sound,
            "video" => Self::Video,
            "text" => Self::Text,
            _ if kind == "application/json" || ending.as_deref().is_some_and(|e| TEXTS.contains(&e)) => Self::Text,
            _ => match ending.as_deref() {
                Some("png" | "jpg" | "jpeg" | "gif" | "webp" | "heic") => Self::Picture,
                _ => Self::Other,
            },
        }
    }

    /// In words, behind “a file that is”.
    pub fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Picture => "a picture",
            Self::Sound => "a recording",
            Self::Video => "a video",
            Self::Other => "a file",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_type_or_its_name() {
        assert_eq!(Media::of(Some("text/csv; charset=utf-8"), Some("rows.csv")), Media::Text);
        assert_eq!(Media::of(Some("application/vnd.ms-excel"), Some("Rows.CSV")), Media::Text, "as Windows calls a CSV file");
        assert_eq!(Media::of(None, Some("rows.xlsx")), Media::Other);
        assert_eq!(Media::of(Some("image/png"), None), Media::Picture);
        assert_eq!(Media::of(Some("application/octet-stream"), None), Media::Other);
    }
}
