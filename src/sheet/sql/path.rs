//! Rows below another: `path LIKE '%Phase 1%'` means the rows below Phase 1, and not those below Phase 10.

use super::super::snapshot::SnapshotRow;
use super::super::table::PATH_SEPARATOR;
use super::super::typed::normal;
use super::read::{Constant, Kind, Part, Read, Reader, name, table_of};

/// Where a row stands whose children are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    /// At any depth below it.
    Any,
    /// At any depth below it, when it stands at the top.
    Top,
    /// Directly below it.
    Children,
}

/// Rows that the words name; of more only their number is told.
const MOST_NAMED: usize = 3;
/// More rows of one name than this are looked for by their path.
const MOST_PARENTS: usize = 200;

impl Reader<'_> {
    /// `path LIKE …`, where the pattern names a row, or several one below the other; nothing where it names none.
    pub fn below(&self, read: &Read, negated: bool, pattern: &Read) -> Option<Read> {
        let is_path = read.origin.is_some_and(|o| o.part == Part::Own) && read.sql.trim_end_matches(')').ends_with(&name("path"));
        let table = table_of(&read.sql).filter(|_| is_path)?;
        let Some(Constant::Text(text)) = &pattern.constant else { return None };
        let (inner, below) = meant(text)?;
        // A name means the row that is called so, or those whose names have it as words: “Phase 3: Build”, and not “Phase 30”.
        let parents = self.rows_called(inner, below, same);
        let parents = if parents.is_empty() { self.rows_called(inner, below, has_words) } else { parents };
        if parents.is_empty() || parents.len() > MOST_PARENTS {
            return None;
        }
        let (number, parent) = (format!("{table}{}", name("row_number")), format!("{table}{}", name("parent_id")));
        let each: Vec<String> = match below {
            Below::Children => {
                vec![format!("{parent} IN ({})", parents.iter().map(|row| row.id.to_string()).collect::<Vec<_>>().join(", "))]
            }
            Below::Any | Below::Top => {
                parents.iter().map(|row| format!("{number} BETWEEN {} AND {}", row.number + 1, self.last_below(row))).collect()
            }
        };
        let (directly, not) = (if below == Below::Children { "directly " } else { "" }, if negated { "NOT " } else { "" });
        let verb = if negated { "does not stand" } else { "stands" };
        let mut names: Vec<String> = parents.iter().map(|row| format!("“{}”", self.snapshot.label(row))).collect();
        names.dedup();
        let names = if names.len() > MOST_NAMED { format!("one of {} rows like “{inner}”", names.len()) } else { names.join(" or ") };
        Some(Read::new(format!("{not}COALESCE(({}), 0)", each.join(" OR ")), format!("{verb} {directly}under {names}"), Kind::Checkbox))
    }

    /// The rows with children that this names: by their own name, or by those of the rows above them, too.
    fn rows_called(&self, inner: &str, below: Below, fits: fn(&str, &str) -> bool) -> Vec<&SnapshotRow> {
        let several: Vec<&str> = inner.split(PATH_SEPARATOR).collect();
        let mut above: Vec<String> = Vec::new();
        let mut found = Vec::new();
        for row in &self.snapshot.rows {
            above.truncate(usize::from(row.level));
            if !row.is_parent {
                continue;
            }
            let label = self.snapshot.label(row);
            let alone = fits(&label, inner) && (below != Below::Top || row.level == 0);
            above.push(label);
            let depth = above.len().checked_sub(several.len()).filter(|depth| below != Below::Top || *depth == 0);
            let chain = several.len() > 1 && depth.is_some_and(|depth| above[depth..].iter().zip(&several).all(|(a, b)| fits(a, b)));
            if alone || chain {
                found.push(row);
            }
        }
        found
    }

    /// The number of the last row below a row; its own where there is none.
    fn last_below(&self, row: &SnapshotRow) -> u32 {
        let behind = self.snapshot.rows.iter().skip(row.number as usize);
        behind.take_while(|other| other.level > row.level).last().map_or(row.number, |last| last.number)
    }
}

fn folded(text: &str) -> String {
    normal(text.trim()).to_lowercase()
}

fn same(label: &str, wanted: &str) -> bool {
    folded(label) == folded(wanted)
}

/// Whether these words stand in a name, with nothing that would belong to them before and behind.
fn has_words(label: &str, wanted: &str) -> bool {
    let (label, wanted) = (folded(label), folded(wanted));
    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    label.match_indices(&wanted).any(|(at, found)| ends(label[..at].chars().next_back()) && ends(label[at + found.len()..].chars().next()))
}

/// The names in a pattern, and which rows below them it means; nothing where it has other signs, or means the end of a name.
fn meant(pattern: &str) -> Option<(&str, Below)> {
    let begins = !pattern.starts_with('%');
    let ends = !pattern.ends_with('%');
    let separator = PATH_SEPARATOR.trim();
    let inner = pattern.trim_matches('%').trim();
    let inner = inner.strip_prefix(separator).unwrap_or(inner).trim_start();
    let inner = inner.strip_suffix(separator).unwrap_or(inner).trim_end();
    if inner.is_empty() || inner.contains(['%', '_']) {
        return None;
    }
    match (begins, ends) {
        (false, false) => Some((inner, Below::Any)),
        (true, false) => Some((inner, Below::Top)),
        (false, true) => Some((inner, Below::Children)),
        // The whole path: rows directly below a row at the top.
        (true, true) => None,
    }
}
