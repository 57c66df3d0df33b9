//! Values that depend on conditions: `CASE` and `IIF`.

use super::function::common;
use super::left_out::Fate;
use super::read::Read;

/// The value of the first branch whose condition holds, or the other one. Each part counts only in the rows that it decides.
pub(super) fn chosen(sql: String, branches: &[(Read, Read)], otherwise: Option<&Read>) -> Read {
    let mut parts = Vec::new();
    for (at, (condition, result)) in branches.iter().enumerate() {
        let before = none_holds(&branches[..at]);
        let holds = format!("{}({})", before.iter().map(|b| format!("{b} AND ")).collect::<String>(), condition.sql);
        parts.push(result.clone().only_where(&holds));
        let decided = condition.clone().decided_by(condition, otherwise.is_some());
        let decided = Read { blanks: Vec::new(), equals: Vec::new(), ..decided };
        // Another branch may take in what this one passes over. Without an ELSE the row has no value: it is left out.
        let decided = if otherwise.is_some() { decided.becoming(&Fate::Otherwise) } else { decided };
        let others = before.into_iter().chain(none_holds(&branches[at + 1..]));
        parts.push(others.fold(decided, |decided, other| decided.only_where(&other)));
    }
    parts
        .extend(otherwise.map(|otherwise| none_holds(branches).into_iter().fold(otherwise.clone(), |part, other| part.only_where(&other))));
    let results: Vec<&Read> = branches.iter().map(|(_, result)| result).chain(otherwise).collect();
    let (kind, style) = common(&results);
    Read { style, ..Read::new(sql, String::new(), kind).with(&parts.iter().collect::<Vec<_>>()) }
}

/// Holds where none of these branches does; nothing where there are none, or where figures stand in them.
fn none_holds(branches: &[(Read, Read)]) -> Option<String> {
    let of_rows = branches.iter().filter(|(condition, _)| !condition.aggregate);
    let none: Vec<String> = of_rows.map(|(condition, _)| format!("({}) IS NOT TRUE", condition.sql)).collect();
    (!none.is_empty()).then(|| none.join(" AND "))
}
