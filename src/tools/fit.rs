//! Makes arguments fit their schema where what is meant is plain: models write numbers for texts, and one thing for a list.

use serde_json::{Value, json};

/// Arguments as the schema wants them, as far as that changes no meaning.
pub(super) fn fit(schema: &Value, value: Value) -> Value {
    let may_be = |kind: &str| match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(several) => several.iter().any(|k| k == kind),
        _ => false,
    };
    match value {
        // “null” for nothing.
        Value::String(text) if may_be("null") && !may_be("number") && text.trim().eq_ignore_ascii_case("null") => Value::Null,
        Value::String(text) if may_be("boolean") && !may_be("string") => match text.trim().to_lowercase().as_str() {
            "true" => json!(true),
            "false" => json!(false),
            _ => Value::String(text),
        },
        Value::String(text) if may_be("integer") && !may_be("string") => {
            text.trim().parse::<i64>().map_or(Value::String(text), |n| json!(n))
        }
        Value::Number(number) if may_be("string") && !may_be("number") && !may_be("integer") => json!(number.to_string()),
        Value::Null if may_be("object") && !may_be("null") => fit(schema, json!({})),
        Value::Object(mut fields) if may_be("object") => {
            for (name, alias) in ALIASES {
                if schema["properties"][name].is_object()
                    && !fields.contains_key(name)
                    && let Some(value) = fields.remove(alias)
                {
                    fields.insert(name.to_owned(), value);
                }
            }
            for (name, of) in schema["properties"].as_object().into_iter().flatten() {
                match fields.remove(name) {
                    Some(value) => drop(fields.insert(name.clone(), fit(of, value))),
                    None => drop(missing(of).map(|value| fields.insert(name.clone(), value))),
                }
            }
            Value::Object(fields)
        }
        Value::Array(items) if may_be("array") => {
            items.into_iter().flat_map(|item| by_title(&schema["items"], item)).map(|item| fit(&schema["items"], item)).collect()
        }
        Value::Null => Value::Null,
        one if may_be("array") => by_title(&schema["items"], one).into_iter().map(|item| fit(&schema["items"], item)).collect(),
        other => other,
    }
}

/// What models call a property otherwise.
const ALIASES: [(&str, &str); 3] = [("where_sql", "where"), ("sql", "query"), ("sheet", "sheet_name")];

/// `{"Status": "Blocked"}` for `[{"column": "Status", "value": "Blocked"}]`.
fn by_title(schema: &Value, item: Value) -> Vec<Value> {
    let pairs = ["column", "value"].iter().all(|name| schema["properties"][*name].is_object());
    match item {
        Value::Object(fields) if pairs && !fields.is_empty() && fields.keys().all(|key| !schema["properties"][key].is_object()) => {
            fields.into_iter().map(|(column, value)| json!({ "column": column, "value": value })).collect()
        }
        item => vec![item],
    }
}

/// What stands for a property that was left out: nothing where that is allowed. What can be shown is shown.
fn missing(schema: &Value) -> Option<Value> {
    let kinds = &schema["type"];
    let null = kinds.as_array().is_some_and(|kinds| kinds.iter().any(|k| k == "null"));
    if null { Some(Value::Null) } else { (kinds == "boolean").then_some(json!(true)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_plainly_is_taken() {
        let schema = json!({ "type": "object", "properties": {
            "sheet": { "type": ["string", "null"] }, "row_id": { "type": "string" }, "show": { "type": "boolean" }, "limit": { "type": ["integer", "null"] },
            "set": { "type": "array", "items": { "type": "object", "properties": { "column": { "type": "string" }, "value": {} , "expression": { "type": ["string", "null"] } } } },
        } });
        let wanted = |value: Value| fit(&schema, value).to_string();
        insta::assert_snapshot!(wanted(json!({ "sheet": "null", "row_id": 400, "show": "false", "limit": "3", "set": { "column": "Status", "value": 7 } })), @r#"{"limit":3,"sheet":null,"row_id":"400","show":false,"set":[{"column":"Status","value":7,"expression":null}]}"#);
        insta::assert_snapshot!(wanted(json!({ "row_id": "12", "set": [] })), @r#"{"sheet":null,"limit":null,"row_id":"12","show":true,"set":[]}"#);
        insta::assert_snapshot!(wanted(json!(null)), @r#"{"sheet":null,"show":true,"limit":null}"#);
        insta::assert_snapshot!(wanted(json!({ "row_id": "1", "set": { "Status": "Blocked", "Due Date": "+7 days" } })), @r#"{"sheet":null,"limit":null,"row_id":"1","show":true,"set":[{"column":"Status","value":"Blocked","expression":null},{"column":"Due Date","value":"+7 days","expression":null}]}"#);
        let by_other_names = json!({ "row_id": "1", "sheet_name": "Plan", "set": [{ "Status": "Blocked" }, { "column": "Notes" }] });
        insta::assert_snapshot!(wanted(by_other_names), @r#"{"sheet":"Plan","limit":null,"row_id":"1","show":true,"set":[{"column":"Status","value":"Blocked","expression":null},{"column":"Notes","expression":null}]}"#);
        // What could mean something else is left as it is, and refused.
        insta::assert_snapshot!(wanted(json!({ "show": "perhaps", "limit": "many", "row_id": true, "set": "Status" })), @r#"{"row_id":true,"show":"perhaps","sheet":null,"limit":"many","set":["Status"]}"#);
    }
}
