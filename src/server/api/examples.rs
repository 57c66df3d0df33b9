//! An example of every shape, as the sample sheet “Project Plan” would have it, for the document and its page.

use serde_json::{Value, json};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Schema};

const SHEET: &str = "1133718580784832";
const ROW: &str = "1288830900493125";
const SESSION: &str = "01a22c7c-27f4-72dc-98fe-df54c478b356";
const JOB: &str = "01a22c7c-3b10-7d6f-8f4e-0a4f7b1f2c11";

/// The example of a shape, by the name of its schema.
pub(super) fn of(schema: &str) -> Option<Value> {
    let session = || json!({ "id": SESSION, "sheetId": SHEET, "sheetName": "Project Plan", "createdAt": "2026-11-30T12:44:23.923Z" });
    let sheet = || {
        json!({ "id": SHEET, "name": "Project Plan", "accessLevel": "OWNER", "version": 7, "totalRowCount": 42, "columnCount": 10,
            "permalink": "https://app.smartsheet.com/sheets/f3w4vXpq" })
    };
    let row = || {
        json!({ "id": ROW, "rowNumber": 16, "parentId": "1680108317049593", "level": 1,
            "cells": { "Task Name": "Accessibility review", "Status": "Blocked", "Due Date": "2026-11-28", "Budget": 4_100.0 },
            "display": { "Budget": "$4,100" } })
    };
    let column = || {
        json!({ "id": "1931085322411451", "title": "Status", "sqlName": "status", "type": "PICKLIST", "primary": false,
            "options": ["Not Started", "In Progress", "Complete", "Blocked", "Cancelled"] })
    };
    let job = || json!({ "id": JOB, "type": "SUMMARIZE", "status": "processing", "sessionId": SESSION, "sheetId": SHEET, "progress": 12, "total": 42 });
    Some(match schema {
        "Session" => session(),
        "Sessions" => json!({ "sessions": [session()], "total": 1 }),
        "NewSession" => json!({ "sheet": "Project Plan" }),
        "NewMessage" => json!({ "sessionId": SESSION, "content": "which tasks are blocked?" }),
        "Reply" => json!({ "status": "answered", "messages": [{ "id": "01a22c7c-281d-732f-a912-cd47a60c957a", "partial": false,
            "text": "There are 2 rows.", "blocks": [{ "type": "text", "nodes": [] }] }] }),
        "Message" => json!({ "role": "user", "content": "which tasks are blocked?", "metadata": { "type": "USER", "sessionId": SESSION } }),
        "Messages" => json!({ "messages": [of("Message")?], "total": 1 }),
        "Sheet" => sheet(),
        "ListedSheet" => json!({ "id": SHEET, "name": "Project Plan", "permalink": "https://app.smartsheet.com/sheets/f3w4vXpq",
            "modifiedAt": "2026-11-30T09:12:00Z" }),
        "ListedSheets" => json!({ "sheets": [of("ListedSheet")?], "total": 1 }),
        "Column" => column(),
        "Columns" => json!({ "columns": [column()] }),
        "NewColumn" => json!({ "title": "Risk", "type": "PICKLIST", "options": ["Low", "High"] }),
        "ColumnChange" => json!({ "title": "Risk of delay" }),
        "Row" => row(),
        "Rows" => json!({ "version": 7, "rows": [row()], "total": 2 }),
        "NewRow" => json!({ "cells": { "Task Name": "Book venue", "Status": "Not Started" } }),
        "RowChange" => json!({ "cells": { "Status": "Complete", "Due Date": "next friday" } }),
        "Written" => json!({ "status": "written", "changeId": "a25c73c1-d8b9-5afb-9c93-feeaddbba50d", "sessionId": SESSION, "rowId": ROW,
            "written": 1, "cells": { "Status": "Complete" } }),
        "JobRequest" => json!({ "type": "SUMMARIZE", "sheetId": SHEET,
            "parameters": { "sourceColumns": ["Notes"], "targetColumn": "Summary", "filter": "status = 'Blocked'" } }),
        "Job" => job(),
        "Jobs" => json!({ "jobs": [job()], "total": 1 }),
        "Ticket" => json!({ "ticket": "QSuk3bpsRwew…", "seconds": 60 }),
        "Problem" => json!({ "status": 422, "title": "Unprocessable Entity", "code": "refused",
            "detail": "No such column: Stauts; did you mean Status?" }),
        _ => return None,
    })
}

/// Puts the example of its shape beside every request and answer.
pub(super) fn put_into(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten() {
            let bodies = operation.request_body.iter_mut().filter_map(known).flat_map(|body| body.content.values_mut());
            bodies.filter_map(known).for_each(exemplify);
            // What is not done yet looks different from what the example shows; where something may be done at once, that is shown.
            let at_once = ["200", "201"].iter().any(|status| operation.responses.responses.contains_key(*status));
            let answers = operation.responses.responses.iter_mut().filter(|(status, _)| !at_once || *status != "202");
            let contents = answers.filter_map(|(_, answer)| known(answer)).flat_map(|answer| answer.content.values_mut());
            contents.filter_map(known).for_each(exemplify);
        }
    }
}

fn known<T>(here: &mut RefOr<T>) -> Option<&mut T> {
    match here {
        RefOr::T(it) => Some(it),
        RefOr::Ref(_) => None,
    }
}

fn exemplify(content: &mut Content) {
    if let Some(RefOr::Ref(Ref { ref_location, .. })) = &content.schema {
        content.example = ref_location.rsplit('/').next().and_then(of);
    }
}

/// The type of a field or parameter in a word.
pub(super) fn type_of(schema: &RefOr<Schema>) -> String {
    let written = serde_json::to_value(schema).unwrap_or_default();
    match &written["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect::<Vec<_>>().join(" or "),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn every_shape_has_an_example_that_fits() {
        let document: Value = serde_json::from_str(&super::super::document().unwrap()).unwrap();
        let shapes = document["components"]["schemas"].as_object().unwrap();
        // What Smartsheet sends is no shape of ours.
        for (name, shape) in shapes.iter().filter(|(name, _)| !["Call", "Changed"].contains(&name.as_str())) {
            let example = super::of(name).unwrap_or_else(|| panic!("{name} has no example"));
            let fields = shape["properties"].as_object().unwrap();
            for (field, value) in example.as_object().unwrap() {
                let kind = fields.get(field).unwrap_or_else(|| panic!("{name} has no field {field}"));
                let kinds = kind["type"].to_string();
                let fits = match value {
                    Value::String(_) => kinds.contains("string"),
                    Value::Number(_) => kinds.contains("integer") || kinds.contains("number"),
                    Value::Bool(_) => kinds.contains("boolean"),
                    Value::Array(_) => kinds.contains("array"),
                    Value::Object(_) => kinds.contains("object"),
                    Value::Null => false,
                };
                assert!(fits, "{name}.{field} is {kinds}, not {value}");
            }
            for field in shape["required"].as_array().into_iter().flatten() {
                assert!(example.get(field.as_str().unwrap()).is_some(), "the example of {name} lacks {field}");
            }
        }
        let operations = document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().iter());
        let bodies = operations.filter_map(|(_, operation)| operation.get("requestBody")).filter(|body| !body.to_string().contains("Call"));
        let without = bodies.filter(|body| body["content"]["application/json"].get("example").is_none()).count();
        assert_eq!(without, 0, "a request has no example");
    }
}
