//! `chatsheet eval` with the cases that come with the program: nothing may be wrong without a word.

use crate::command_line::run;
use crate::world::{folder, install_tls};
use sandbox::azure::{self, Mode, Reply};

fn counted(table: &str, topic: &str) -> Vec<usize> {
    let line = table.lines().find(|line| line.starts_with(topic)).unwrap_or_else(|| panic!("no line {topic}:\n{table}"));
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn no_case_is_wrong_without_a_word() {
    let folder = folder();
    let done = run(&["eval"], &[], &folder.0, "");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    println!("{said}");
    assert_eq!(done.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let all = counted(&said, "all ");
    assert_eq!(&all[3..], [0, 0], "wrong or crashed: {said}");
    let without_model = counted(&said, "queries")[0] + counted(&said, "aggregates")[0];
    assert!(without_model >= 250 && all[0] - without_model >= 110, "{said}");
}

/// What is wrong is seen as wrong: by figures, by cells, by words, and by a model that does not answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_told_apart() {
    install_tls();
    let folder = folder();
    let case = |id: &str, model: &str, end: &str| {
        format!(
            r#"{{"id":"{id}","topic":"made","turns":[{{"say":"how many tasks are blocked?","model":[{model}],"figures":[{{"of":"count","where":[["Status","=","Blocked"]]}}]}}],"end":[{end}]}}"#
        )
    };
    let query = r#"{"call":{"name":"query_sheet","arguments":{"sheet":null,"sql":"SELECT COUNT(*) FROM leaf WHERE status='Complete'","show":false}}}"#;
    let filtered = r#"{"http":{"status":400,"body":{"error":{"code":"content_filter","message":"no"}}}}"#;
    let broken = r#"{"http":{"status":400,"body":{"error":{"code":"odd","message":"no"}}}}"#;
    let lines = [
        case("wrong-figure", &format!(r#"{query},{{"say":"There are {{result}}."}}"#), ""),
        case("wrong-end", &format!(r#"{query},{{"say":"There are {{result}}."}}"#), r#"{"cell":["Project Plan","Go-live","Status","Blocked"]}"#),
        case("says-so", filtered, ""),
        case("crash", broken, ""),
        r#"{"id":"wrong-query","sheet":"Project Plan","sql":"SELECT COUNT(*) FROM leaf","figure":{"of":"count","where":[["Status","=","Blocked"]]}}"#.into(),
    ];
    std::fs::write(folder.0.join("made.jsonl"), lines.join("\n")).unwrap();
    let path = folder.0.clone();
    let done = tokio::task::spawn_blocking(move || run(&["eval", "--cases", ".", "--json"], &[], &path, "")).await.unwrap();
    assert_eq!(done.status.code(), Some(1));
    let verdicts: Vec<String> = String::from_utf8_lossy(&done.stdout)
        .lines()
        .map(|line| {
            let score: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{} {}", score["id"].as_str().unwrap(), score["verdict"].as_str().unwrap())
        })
        .collect();
    assert_eq!(verdicts, ["wrong-query wrong", "wrong-figure wrong", "wrong-end wrong", "says-so says so", "crash crashed"]);
    // A model elsewhere is asked the same, and answers for itself.
    let replies = (0..4).map(|_| Reply::Say("There are 2 blocked tasks.".into())).collect();
    let model = azure::Azure::start(azure::Options { mode: Mode::Script(replies), ..azure::Options::default() }).await.unwrap();
    let settings = model.settings();
    let path = folder.0.clone();
    let live = tokio::task::spawn_blocking(move || {
        run(&["eval", "--cases", ".", "--model", "live", "--only", "wrong-figure", "--json"], &settings, &path, "")
    });
    let said = String::from_utf8(live.await.unwrap().stdout).unwrap();
    // The figure is right by chance, and no result bears it out.
    assert!(said.contains("\"doubted\":1") && said.contains("\"verdict\":\"right\""), "{said}");
}

/// Other people's tables: titles that stand there twice, numbers that are codes, ragged rows.
#[test]
fn tables_are_loaded_and_worked_out_as_plain_code_does() {
    let folder = folder();
    std::fs::create_dir(folder.0.join("tables")).unwrap();
    let odd = "Name,value,Value,,\"a \"\"quoted\"\" title\",total (%)\nx,1,2,3,4,5\n\"y, z\",007,1e5,,n/a,-1.5\nw,3\n,,,,,\nv,\"1,234\",0.1,0.2,0.3,12\n";
    std::fs::write(folder.0.join("tables/odd.csv"), odd).unwrap();
    std::fs::write(folder.0.join("tables/empty.csv"), "").unwrap();
    let done = run(&["eval", "--tables", "tables"], &[], &folder.0, "");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(counted(&said, "odd")[0] > 30 && counted(&said, "all ")[3..] == [0, 0], "{said}");
    assert_eq!(counted(&said, "empty")[..3], [1, 0, 1], "what cannot be read is said: {said}");
}

/// What would go unseen if only values of cells were compared: where rows stand, what columns are, links.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_otherwise_beside_the_cells_is_seen() {
    let folder = folder();
    let call = |name: &str, arguments: &str| format!(r#"{{"call":{{"name":"{name}","arguments":{arguments}}}}}"#);
    let rows = |parent: &str| {
        let rows = r#"[{"cells":[{"column":"Task Name","value":"Smoke test"}]}]"#;
        call("propose_rows", &format!(r#"{{"sheet":null,"rows":{rows},"parent_row_id":{parent},"after_row_id":null,"position":"bottom"}}"#))
    };
    let case = |id: &str, say: &str, model: &str, end: &str| {
        format!(r#"{{"id":"{id}","topic":"ends","turns":[{{"say":"{say}","model":[{model}]}},{{"press":"Confirm"}}],"end":[{end}]}}"#)
    };
    let added = r#"{"added":["Project Plan","Smoke test"]}"#;
    let column = r#"{"sheet":null,"action":"update","column":"Notes","new_title":null,"type":"PICKLIST","options":["a","b"]}"#;
    let query = call("query_sheet", r#"{"sheet":null,"sql":"SELECT COUNT(*) FROM leaf WHERE status = 'Blocked'","show":false}"#);
    let linked = format!(
        r#"{{"id":"linked","topic":"ends","turns":[{{"say":"how many tasks are blocked?","model":[{query},{{"say":"There are {{result}}, see [the list](https://evil.example/x)."}}]}}]}}"#
    );
    let lines = [
        case("at-the-end", "add Smoke test", &rows("null"), added),
        case("column", "make Notes a dropdown", &call("propose_column", column), ""),
        linked,
    ];
    std::fs::write(folder.0.join("made.jsonl"), lines.join("\n")).unwrap();
    let path = folder.0.clone();
    let done = tokio::task::spawn_blocking(move || run(&["eval", "--cases", ".", "--json", "--runs", "2"], &[], &path, "")).await.unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let verdicts: Vec<(String, String)> = said
        .lines()
        .map(|line| {
            let score: serde_json::Value = serde_json::from_str(line).unwrap();
            (format!("{} {}", score["id"].as_str().unwrap(), score["verdict"].as_str().unwrap()), score["why"].as_str().unwrap().to_owned())
        })
        .collect();
    let told: Vec<&str> = verdicts.iter().map(|(verdict, _)| verdict.as_str()).collect();
    // Links of a model lead nowhere.
    assert_eq!(told, ["at-the-end right", "column wrong", "linked right"], "{said}");
    assert!(verdicts[1].1.contains("the column Notes is another"), "{said}");
}
