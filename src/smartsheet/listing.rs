//! The calls that find things: who am I, sheets, workspaces, search.

use super::Identity;
use super::client::Client;
use super::error::Error;
use serde::Deserialize;

/// The account behind a token.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// E-mail address.
    #[serde(default)]
    pub email: String,
    /// First name.
    #[serde(default)]
    pub first_name: String,
    /// Last name.
    #[serde(default)]
    pub last_name: String,
    /// How they write: `en_US`.
    pub locale: Option<String>,
    /// Their time zone: `US/Pacific`.
    pub time_zone: Option<String>,
}

/// A sheet in a listing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SheetEntry {
    /// Sheet id.
    pub id: i64,
    /// Name; not unique.
    pub name: String,
    /// Link for people.
    #[serde(default)]
    pub permalink: String,
    /// When it was last changed, ISO 8601.
    #[serde(default)]
    pub modified_at: String,
    /// `sheet`, `folder`, `report` … in listings of workspaces.
    #[serde(default)]
    pub resource_type: String,
}

/// Folders of a workspace that are looked into, one request each.
const MOST_FOLDERS: usize = 50;

/// Pages of contacts that are read, a thousand each.
const MOST_CONTACT_PAGES: i64 = 5;

/// A workspace.
#[derive(Clone, Debug, Deserialize)]
pub struct Workspace {
    /// Workspace id.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// A search result.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hit {
    /// `sheet`, `row`, `discussion` …
    #[serde(default)]
    pub object_type: String,
    /// Its id.
    #[serde(default)]
    pub object_id: i64,
    /// What it stands in.
    pub parent_object_id: Option<i64>,
    /// The name of what it stands in.
    pub parent_object_name: Option<String>,
    /// The words that were found.
    #[serde(default)]
    pub text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    #[serde(default = "Vec::new")]
    data: Vec<T>,
    #[serde(default)]
    total_pages: i64,
    last_key: Option<String>,
}

impl Client {
    /// The account behind the token: the best check of a token.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn me(&self, identity: &Identity) -> Result<User, Error> {
        self.get(identity, "users/me").await
    }

    /// Addresses and names of the account's contacts, the first 5,000 of them.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn contacts(&self, identity: &Identity) -> Result<Vec<(String, String)>, Error> {
        #[derive(Deserialize)]
        struct Known {
            email: String,
            #[serde(default)]
            name: String,
        }
        let mut contacts = Vec::new();
        for page in 1..=MOST_CONTACT_PAGES {
            let answer: Page<Known> = self.get(identity, &format!("contacts?pageSize=1000&page={page}")).await?;
            contacts
                .extend(answer.data.into_iter().map(|k| if k.name.is_empty() { (k.email.clone(), k.email) } else { (k.email, k.name) }));
            if page >= answer.total_pages {
                break;
            }
        }
        Ok(contacts)
    }

    /// All sheets that the identity can see.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn sheets(&self, identity: &Identity) -> Result<Vec<SheetEntry>, Error> {
        let mut sheets = Vec::new();
        for page in 1.. {
            let answer: Page<SheetEntry> = self.get(identity, &format!("sheets?pageSize=1000&page={page}")).await?;
            sheets.extend(answer.data);
            if page >= answer.total_pages {
                break;
            }
        }
        Ok(sheets)
    }

    /// All workspaces that the identity can see.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn workspaces(&self, identity: &Identity) -> Result<Vec<Workspace>, Error> {
        self.by_key(identity, "workspaces?paginationType=token&maxItems=1000").await
    }

    /// The sheets of a workspace, those in its folders included; folders beyond the first 50 are not looked into.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn workspace_sheets(&self, identity: &Identity, workspace: i64) -> Result<Vec<SheetEntry>, Error> {
        let mut places = vec![format!("workspaces/{workspace}")];
        let (mut sheets, mut looked) = (Vec::new(), 0);
        while let Some(place) = places.pop().filter(|_| looked <= MOST_FOLDERS) {
            looked += 1;
            let path = format!("{place}/children?childrenResourceTypes=sheets,folders&maxItems=1000");
            for entry in self.by_key::<SheetEntry>(identity, &path).await? {
                match entry.resource_type.as_str() {
                    "folder" => places.push(format!("folders/{}", entry.id)),
                    "" | "sheet" => sheets.push(entry),
                    _ => {}
                }
            }
        }
        Ok(sheets)
    }

    /// What the search of Smartsheet finds; at most 100 hits, and new things only after a while.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn search(&self, identity: &Identity, query: &str) -> Result<Vec<Hit>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            results: Vec<Hit>,
        }
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let answer: Answer = self.get(identity, &format!("search?query={query}")).await?;
        Ok(answer.results)
    }

    async fn by_key<T: serde::de::DeserializeOwned>(&self, identity: &Identity, path: &str) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        let mut key = String::new();
        loop {
            let answer: Page<T> = self.get(identity, &format!("{path}{key}")).await?;
            items.extend(answer.data);
            match answer.last_key {
                Some(last) => key = format!("&lastKey={last}"),
                None => return Ok(items),
            }
        }
    }
}
